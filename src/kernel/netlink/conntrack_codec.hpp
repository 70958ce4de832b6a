// conntrack_codec: the messages of connection tracking (nfnetlink, subsystem ctnetlink) that are needed to find the
// kernel's UDP flows and to make it forget some. IPv4. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "net/endpoint.hpp"

namespace netlink {

struct udp_flow {
  net::endpoint source, destination;  // as the first datagram had them, before any translation
  std::vector<std::byte> identity;    // the attributes by which the kernel finds it again

  bool operator==(const udp_flow&) const = default;
};

[[nodiscard]] std::vector<std::byte> flow_dump_request();
// One datagram of the answer. Skips flows of other protocols, and truncated or malformed messages.
[[nodiscard]] std::vector<udp_flow> parse_flow_dump(std::span<const std::byte> datagram);

[[nodiscard]] std::vector<std::byte> flow_delete_request(const udp_flow& flow);

}  // namespace netlink
