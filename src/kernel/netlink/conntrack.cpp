#include "kernel/netlink/conntrack.hpp"

#include <linux/netlink.h>

#include <cstddef>
#include <expected>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/netlink/attributes.hpp"
#include "kernel/netlink/conntrack_codec.hpp"
#include "kernel/netlink/socket.hpp"
#include "net/endpoint.hpp"

namespace netlink {
namespace {

constexpr std::size_t most_flows = 1'000'000;

}  // namespace

// Flows that were listed are forgotten, also if the list has no end in time or breaks.
base::result<std::size_t> forget_udp_flows(const std::set<net::endpoint>& destinations) {
  auto kernel = socket::open(NETLINK_NETFILTER);
  if (!kernel) return std::unexpected(kernel.error());
  std::vector<udp_flow> doomed;
  const auto listed = kernel->dump_once(
      {.request = flow_dump_request(), .name = "list of flows", .most_messages = most_flows}, [&](bytes_view datagram) {
        for (auto& flow : parse_flow_dump(datagram))
          if (destinations.contains(flow.destination)) doomed.push_back(std::move(flow));
      });
  for (const auto& flow : doomed) static_cast<void>(kernel->send(flow_delete_request(flow)));  // or it is gone already
  if (!listed && listed.error().code != std::errc::timed_out) return std::unexpected(listed.error());
  return doomed.size();
}

}  // namespace netlink
