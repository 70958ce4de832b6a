#include "os/begin_connect.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "net/endpoint.hpp"

namespace os {

int begin_connect(int fd, const net::socket_address& to) { return ::connect(fd, to.get(), to.size) == 0 ? 0 : errno; }

}  // namespace os
