#include "netstack/checksum.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

#include "netstack/bytes.hpp"

namespace netstack {
namespace {

std::uint32_t fold(std::uint64_t sum) {
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint32_t>(sum);
}

std::uint16_t to_network_order(std::uint16_t native) {
  return std::endian::native == std::endian::little ? static_cast<std::uint16_t>(native << 8U | native >> 8U) : native;
}

}  // namespace

// The sum does not depend on the byte order in which the words are read, except for a swap at the end (RFC 1071, 2 B).
// So it is computed over 32-bit words in native order, which the compiler turns into vector additions.
std::uint32_t add_to_checksum(bytes_view data, std::uint32_t sum) {
  std::uint64_t native = 0;
  std::size_t at = 0;
  for (; at + 4 <= data.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, data.data() + at, 4);
    native += word;
  }
  std::uint64_t rest = 0;
  if (at + 2 <= data.size()) {
    rest += load_16(data, at);
    at += 2;
  }
  if (at < data.size()) rest += std::uint64_t{data[at]} << 8U;
  return fold(std::uint64_t{sum} + to_network_order(static_cast<std::uint16_t>(fold(native))) + rest);
}

}  // namespace netstack
