// route: the kernel's route to an address, in the calling thread's network namespace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "net/address.hpp"

namespace netlink {

enum class route_kind : std::uint8_t { unicast, local, other };  // other: broadcast, multicast, blackhole …

struct route {
  route_kind kind = route_kind::other;
  bool by_gateway = false;
  std::uint32_t interface = 0;  // its index
  bool operator==(const route&) const = default;
};

// An error if there is no route. Does not block: the kernel answers within send(2).
[[nodiscard]] base::result<route> route_to(const net::address& ip);

// Pure: the answer to the request.
[[nodiscard]] base::result<route> parse_route(std::span<const std::byte> datagram);

}  // namespace netlink
