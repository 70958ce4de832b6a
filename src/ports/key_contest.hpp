// key_contest: of all ports that want to be open at a peer, which are, and what stands in the way of the others. Pure.
//
// Two keys overlap if protocol and number are the same, and the addresses are, or one is the wildcard. Of two ports
// that overlap and lead to different ports of the VM, one is open. A port with its own number comes before one that a
// rule or a label gave another; then the better claim counts. Where both lead to the same port, the wildcard answers
// for both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ports/port_table.hpp"

namespace ports {

struct contender {
  port_key key;
  std::uint16_t inside = 0;      // its number inside the VM
  const claim* first = nullptr;  // its best claim
};

enum class standing : std::uint8_t {
  open,
  covered,   // another one answers there too
  shadowed,  // another one leads elsewhere
};

struct ruling {
  standing is = standing::open;
  std::size_t other = 0;  // which one; of an open port without a meaning
};

// One for each contender, in their order.
[[nodiscard]] std::vector<ruling> hold_contest(std::span<const contender> all);

}  // namespace ports
