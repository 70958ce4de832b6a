// begin_connect: the one call of connect() outside the data plane.
#pragma once

#include "net/endpoint.hpp"

namespace os {

// 0 if `fd` is connected, otherwise the kernel's error number: EINPROGRESS for a non-blocking socket that needs time.
[[nodiscard]] int begin_connect(int fd, const net::socket_address& to);

}  // namespace os
