#include "net/stream_address.hpp"

#include <linux/vm_sockets.h>
#include <sys/un.h>

#include <cstring>
#include <string>
#include <string_view>
#include <variant>

#include "net/endpoint.hpp"

namespace net {
namespace {

template <class T>
socket_address make(const T& from) {
  socket_address made;
  std::memcpy(&made.storage, &from, sizeof from);
  made.size = sizeof from;
  return made;
}

struct to_text {
  std::string operator()(const endpoint& e) const { return to_string(e); }
  std::string operator()(const unix_path& u) const { return "unix:" + u.path; }
  std::string operator()(const vsock_address& v) const {
    const auto cid = v.cid == VMADDR_CID_ANY ? "any" : std::to_string(v.cid);
    return "vsock:" + cid + ":" + std::to_string(v.port);
  }
};

struct to_kernel {
  socket_address operator()(const endpoint& e) const { return to_sockaddr(e); }
  socket_address operator()(const unix_path& u) const {
    sockaddr_un made{};
    made.sun_family = AF_UNIX;
    u.path.copy(made.sun_path, longest_unix_path);
    return make(made);
  }
  socket_address operator()(const vsock_address& v) const {
    sockaddr_vm made{};
    made.svm_family = AF_VSOCK;
    made.svm_cid = v.cid;
    made.svm_port = v.port;
    return make(made);
  }
};

}  // namespace

static_assert(longest_unix_path + 1 == sizeof sockaddr_un{}.sun_path);

bool is_unix_path(std::string_view text) {
  return text.starts_with('/') && text.size() <= longest_unix_path && text.find('\0') == std::string_view::npos;
}

bool fits(const stream_address& a) {
  const auto* socket = std::get_if<unix_path>(&a);
  return socket == nullptr || socket->path.size() <= longest_unix_path;
}

std::string to_string(const stream_address& a) { return std::visit(to_text{}, a); }

socket_address to_sockaddr(const stream_address& a) { return std::visit(to_kernel{}, a); }

}  // namespace net
