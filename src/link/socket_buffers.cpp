#include "link/socket_buffers.hpp"

#include <linux/vm_sockets.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace links {
namespace {

constexpr int wanted = 4 << 20;

// Beyond the system's limit with the right to exceed it, otherwise up to it.
void widen(int fd, int forced, int plain) {
  if (::setsockopt(fd, SOL_SOCKET, forced, &wanted, sizeof wanted) != 0)
    ::setsockopt(fd, SOL_SOCKET, plain, &wanted, sizeof wanted);
}

}  // namespace

bool is_temporary(int error_number) {
  static constexpr std::array numbers{EAGAIN, EINTR, ENOBUFS, ENOMEM};
  return std::ranges::find(numbers, error_number) != numbers.end();
}

void widen_buffers(int fd) {
  int family = 0;
  socklen_t size = sizeof family;
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
  if (family == AF_VSOCK) {  // it has only a receive buffer, and ignores the other options
    const std::uint64_t bytes = wanted;
    ::setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &bytes, sizeof bytes);
    ::setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &bytes, sizeof bytes);
    return;
  }
  widen(fd, SO_SNDBUFFORCE, SO_SNDBUF);
  widen(fd, SO_RCVBUFFORCE, SO_RCVBUF);
}

}  // namespace links
