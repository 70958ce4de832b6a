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

// Packets to `ip` stay on this machine: an interface has the address, or a route of type `local` covers it, as for
// 127.0.0.0/8. A successful bind(2) proves less: with net.ipv4.ip_nonlocal_bind every address can be bound. An error if
// the kernel gives no answer. The calling thread's network namespace counts.
[[nodiscard]] base::result<bool> is_local_address(const net::address& ip);

// Pure: the answer to the request.
[[nodiscard]] base::result<route> parse_route(std::span<const std::byte> datagram);

}  // namespace netlink
