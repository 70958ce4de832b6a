// TCP sockets on 127.0.0.1 and a free port, for fakes and tests.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <stdexcept>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"

namespace support {

struct listening_socket {
  base::unique_fd fd;
  std::uint16_t port = 0;
};

// Without a listener: refuses connections, and no other process gets the port.
inline listening_socket bind_on_loopback(std::uint16_t port = 0) {
  listening_socket made;
  made.fd = base::unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int one = 1;
  ::setsockopt(made.fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  auto at = net::to_sockaddr({net::address::loopback_v4(), port});
  if (::bind(made.fd.get(), at.get(), at.size) != 0) throw std::runtime_error("bind");
  at.size = sizeof at.storage;
  ::getsockname(made.fd.get(), at.get(), &at.size);
  made.port = net::from_sockaddr(at)->port;
  return made;
}

inline listening_socket listen_on_loopback(std::uint16_t port = 0) {
  auto made = bind_on_loopback(port);
  if (::listen(made.fd.get(), 128) != 0) throw std::runtime_error("listen");
  return made;
}

}  // namespace support
