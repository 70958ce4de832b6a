#include "relay/privileged_port.hpp"

#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>

namespace relay {

void bind_privileged_port(int fd) {
  constexpr unsigned first = 512, count = 512;
  static std::atomic<unsigned> turn = 0;  // a port that was just closed is not reused at once
  sockaddr_vm own{};
  own.svm_family = AF_VSOCK;
  own.svm_cid = VMADDR_CID_ANY;
  for (unsigned i = 0; i < count; ++i) {
    own.svm_port = first + turn.fetch_add(1, std::memory_order_relaxed) % count;
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0 || errno != EADDRINUSE) return;
  }
}

bool is_from_privileged_port(int fd) {
  sockaddr_vm peer{};
  socklen_t size = sizeof peer;
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && peer.svm_family == AF_VSOCK &&
         peer.svm_port < IPPORT_RESERVED;
}

}  // namespace relay
