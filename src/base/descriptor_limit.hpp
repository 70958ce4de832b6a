#pragma once

namespace base {

// As many descriptors as the system allows: a range of thousands of ports is thousands of sockets.
void raise_descriptor_limit();

}  // namespace base
