// socket_buffers: room in the kernel for several large frames, and what it says when there is none.
#pragma once

namespace links {

// Asks for larger buffers of a socket of any family; what the kernel denies stays as it was.
void widen_buffers(int fd);

// Whether an error number of a read or a write means that the kernel has no bytes or no room now, and has later.
[[nodiscard]] bool is_temporary(int error_number);

}  // namespace links
