// initial_sequence: the first sequence number of a connection (RFC 6528): a clock that advances every 4 µs, plus a
// keyed hash of the connection's addresses and ports. A guest cannot guess the number of another guest's connection,
// and a connection that reuses its ports starts above the previous one. Owned by netstack::stack. The hash is
// SipHash-2-4.
#pragma once

#include <array>
#include <cstdint>

#include "netstack/bytes.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {

using secret = std::array<std::uint8_t, 16>;

// SipHash-2-4 of `input` (Aumasson and Bernstein, 2012).
[[nodiscard]] std::uint64_t siphash(const secret& key, bytes_view input);

class initial_sequence {
 public:
  // `key`: random bytes of the system, chosen once at the start.
  explicit initial_sequence(const secret& key) : key_(key) {}

  [[nodiscard]] sequence operator()(ipv4::address local, std::uint16_t local_port, ipv4::address peer,
                                    std::uint16_t peer_port, time_point now) const;

 private:
  secret key_;
};

}  // namespace netstack::tcp
