// descriptor_limit: how many descriptors this process may have open at one time.
#pragma once

#include "base/result.hpp"

namespace base {

// The agent with all of its sources has 42 open before anything is published, and some more for a moment.
inline constexpr unsigned least_descriptors = 64;

// As many as the system allows: a range of thousands of ports is thousands of sockets. Fails where these are fewer than
// least_descriptors.
[[nodiscard]] result<> raise_descriptor_limit();

}  // namespace base
