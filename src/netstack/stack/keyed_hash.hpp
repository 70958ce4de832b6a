// keyed_hash: SipHash-2-4 of a key of two words. A VM chooses addresses and ports, but does not know the secret. So it
// can neither degrade the flow table nor predict ports.
#pragma once

#include <array>
#include <cstdint>

#include "netstack/tcp/initial_sequence.hpp"

namespace netstack {

class keyed_hash {
 public:
  explicit keyed_hash(const tcp::secret& secret) : secret_(secret) {}

  [[nodiscard]] std::uint64_t operator()(std::uint64_t first, std::uint64_t second) const {
    std::array<std::uint8_t, 16> key{};
    for (unsigned i = 0; i < 8; ++i) {
      key[i] = static_cast<std::uint8_t>(first >> (8 * i));
      key[8 + i] = static_cast<std::uint8_t>(second >> (8 * i));
    }
    return tcp::siphash(secret_, key);
  }

 private:
  tcp::secret secret_;
};

}  // namespace netstack
