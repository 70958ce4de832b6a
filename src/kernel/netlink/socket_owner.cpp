#include "kernel/netlink/socket_owner.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <system_error>

#include "base/result.hpp"
#include "kernel/netlink/socket.hpp"
#include "kernel/netlink/socket_owner_codec.hpp"
#include "net/endpoint.hpp"

namespace netlink {
namespace {

std::optional<net::endpoint> end_of(int fd, int (*name)(int, sockaddr*, socklen_t*)) {
  net::socket_address at;
  return name(fd, at.get(), &at.size) == 0 ? net::from_sockaddr(at) : std::nullopt;
}

}  // namespace

base::result<std::uint32_t> owner_of_client(int accepted) {
  const auto here = end_of(accepted, ::getsockname), there = end_of(accepted, ::getpeername);
  if (!here || !there) return base::fail(std::errc::not_connected, "socket owner");
  auto kernel = socket::open(NETLINK_SOCK_DIAG);
  if (!kernel) return std::unexpected(kernel.error());
  const auto answer = kernel->get({.request = connection_request(*there, *here), .name = "socket owner"});
  if (!answer) return std::unexpected(answer.error());
  return parse_connection_owner(*answer, *there, *here);
}

client_kind kind_of_client(int accepted) {
  const auto owner = owner_of_client(accepted);
  if (owner) return *owner == 0 || *owner == ::geteuid() ? client_kind::own : client_kind::foreign;
  return owner.error().code == std::errc::no_such_process ? client_kind::closed : client_kind::unknown;
}

bool is_from_own_user(int accepted) { return kind_of_client(accepted) == client_kind::own; }

}  // namespace netlink
