// The Internet checksum (RFC 1071): the one's complement sum of 16-bit words. Partial sums can be added in any order as
// long as every part but the last has an even length.
#pragma once

#include <cstdint>

#include "netstack/bytes.hpp"

namespace netstack {

// Adds the words of `data` to `sum`; an odd last byte counts as the high half of a word.
[[nodiscard]] std::uint32_t add_to_checksum(bytes_view data, std::uint32_t sum = 0);

// The checksum as it stands in a header: the complement of the folded sum.
[[nodiscard]] constexpr std::uint16_t finish_checksum(std::uint32_t sum) {
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

[[nodiscard]] inline std::uint16_t checksum(bytes_view data, std::uint32_t sum = 0) {
  return finish_checksum(add_to_checksum(data, sum));
}

}  // namespace netstack
