#include "os/socket_facts.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <optional>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "os/begin_connect.hpp"

namespace os {

std::optional<int> socket_type(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 ? std::optional(type) : std::nullopt;
}

// A socket that takes datagrams of its own peer alone refuses this one with EPERM.
bool is_bound(const net::socket_address& name) {
  const base::unique_fd probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!probe) return true;
  const int outcome = begin_connect(probe.get(), name);
  return outcome != ECONNREFUSED && outcome != ENOENT;
}

}  // namespace os
