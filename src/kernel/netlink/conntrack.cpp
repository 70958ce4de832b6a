#include "kernel/netlink/conntrack.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <chrono>

#include "base/unique_fd.hpp"
#include "kernel/netlink/conntrack_codec.hpp"

namespace netlink {
namespace {

constexpr std::chrono::milliseconds limit{500};

bool send(int fd, const std::vector<std::byte>& message) {
  return ::send(fd, message.data(), message.size(), 0) == static_cast<ssize_t>(message.size());
}

}  // namespace

base::result<std::size_t> forget_udp_flows(const std::set<net::endpoint>& destinations) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const base::unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd) return base::fail_errno("conntrack socket");
  const timeval wait{.tv_sec = 0, .tv_usec = std::chrono::microseconds(limit).count()};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  if (!send(fd.get(), flow_dump_request())) return base::fail_errno("conntrack dump");
  std::vector<udp_flow> doomed;
  std::array<std::byte, 32'768> buffer;
  for (bool done = false; !done && std::chrono::steady_clock::now() < deadline;) {
    const auto got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return base::fail_errno("conntrack dump");
    auto part = parse_flow_dump(std::span(buffer).first(static_cast<std::size_t>(got)));
    for (auto& flow : part.flows)
      if (destinations.contains(flow.destination)) doomed.push_back(std::move(flow));
    done = part.done;
  }
  for (const auto& flow : doomed) send(fd.get(), flow_delete_request(flow));  // one that has gone meanwhile is gone
  return doomed.size();
}

}  // namespace netlink
