// The identifiers that the stack and its owner share: one end of a flow, a flow, and a link.
#pragma once

#include <compare>
#include <cstdint>

#include "netstack/ipv4.hpp"

namespace netstack {

struct endpoint {
  ipv4::address address;
  std::uint16_t port = 0;

  auto operator<=>(const endpoint&) const = default;
};

// A TCP connection of the stack. The index is reused with another generation, so an old id finds nothing.
struct flow_id {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // never 0 for a flow

  bool operator==(const flow_id&) const = default;
};

// The owner numbers its links; the stack only compares the numbers.
using link_id = std::uint32_t;
inline constexpr link_id every_link = 0xffff'ffff;

}  // namespace netstack
