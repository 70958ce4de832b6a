#include "os/vsock.hpp"

#include <linux/vm_sockets.h>
#include <sys/socket.h>

#include <cstdint>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/stream_address.hpp"

namespace os {
namespace {

constexpr int backlog = 1024;

}  // namespace

base::result<base::unique_fd> listen_on_vsock(const net::vsock_address& at) {
  const auto address = net::to_sockaddr(net::stream_address(at));
  const auto name = "listen on " + net::to_string(net::stream_address(at));
  base::unique_fd fd(::socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd || ::bind(fd.get(), address.get(), address.size) != 0 || ::listen(fd.get(), backlog) != 0)
    return base::fail_errno(name);
  return fd;
}

std::uint32_t peer_cid(int fd) {
  sockaddr_vm peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && peer.svm_family == AF_VSOCK;
  return known ? peer.svm_cid : 0;
}

}  // namespace os
