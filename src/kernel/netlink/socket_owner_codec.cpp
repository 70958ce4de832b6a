#include "kernel/netlink/socket_owner_codec.hpp"

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <system_error>
#include <vector>

#include "base/result.hpp"
#include "kernel/netlink/attributes.hpp"
#include "kernel/netlink/inet_diag.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"

namespace netlink {
namespace {

base::result<std::uint32_t> owner_in(bytes_view body, const net::endpoint& local, const net::endpoint& remote) {
  const auto head = read<inet_diag_msg>(body);
  if (!head) return base::fail(std::errc::protocol_error, "socket owner");
  const int family = head->idiag_family;
  const bool same = endpoint_of(family, head->id.idiag_src, head->id.idiag_sport) == local &&
                    endpoint_of(family, head->id.idiag_dst, head->id.idiag_dport) == remote;
  if (!same) return base::fail(std::errc::no_such_file_or_directory, "socket owner");
  const bool held = head->idiag_inode != 0 && head->idiag_state != state_time_wait && head->idiag_state != state_close;
  if (!held) return base::fail(std::errc::no_such_process, "socket owner");
  return head->idiag_uid;
}

}  // namespace

std::vector<std::byte> connection_request(const net::endpoint& local, const net::endpoint& remote) {
  auto request = begin_request(local.ip.is_v4() ? AF_INET : AF_INET6, IPPROTO_TCP, 0);
  request.body.idiag_states = ~0U;
  auto& id = request.body.id;
  const std::size_t size = local.ip.is_v4() ? 4 : 16;
  std::memcpy(id.idiag_src, local.ip.data(), size);
  std::memcpy(id.idiag_dst, remote.ip.data(), size);
  id.idiag_sport = htons(local.port);
  id.idiag_dport = htons(remote.port);
  id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return bytes_of(request);
}

base::result<std::uint32_t> parse_connection_owner(std::span<const std::byte> datagram, const net::endpoint& local,
                                                   const net::endpoint& remote) {
  base::result<std::uint32_t> found = base::fail(std::errc::protocol_error, "socket owner");
  for_each_message(datagram, [&](const nlmsghdr& header, bytes_view body) {
    if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) found = owner_in(body, local, remote);
  });
  return found;
}

}  // namespace netlink
