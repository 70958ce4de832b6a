// socket_buffers: kernel buffers for several large frames, and the errors that report a full or empty one.
#pragma once

namespace links {

// Requests larger buffers for a socket of any family; a size that the kernel denies stays unchanged.
void widen_buffers(int fd);

// Whether the error of a read or a write is temporary: the kernel has no bytes or no room at the moment.
[[nodiscard]] bool is_temporary(int error_number);

}  // namespace links
