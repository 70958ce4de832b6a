// source_ports: chooses the gateway's port for a connection to a VM, such that the VM has no TIME_WAIT for it. Owned by
// flow_opener.
//
// Theory of operation. Each choice for one destination takes the next port of the range, starting at a keyed hash of
// the destination (RFC 6056, 3.3.3), so a port returns only after all others. A port that was released within the last
// minute rests and is skipped (Linux keeps TIME_WAIT that long). If every examined port is in use or rests, the one
// that has rested longest is used: initial sequence numbers rise with time, and Linux then accepts the SYN.
//
// A choice takes the same time however many ports are in use: it examines most_tries / 2 consecutive ports and as many
// that a hash selects. There are three times as many ports as flows, so it finds one.
//
// Memory is fixed: a time for each port, and most_counters counters. Destinations share them by hash. A collision makes
// a port rest that need not, and ports advance faster.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/flow_table.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

class source_ports {
 public:
  static constexpr std::uint16_t first_port = 16'384;
  static constexpr std::uint32_t count = 65'536 - first_port;
  static constexpr std::size_t most_counters = 256;
  static constexpr std::uint32_t most_tries = 256;
  static constexpr std::chrono::seconds rest{60};

  explicit source_ports(const keyed_hash& hash) : hash_(hash), released_(places), counters_(most_counters) {}

  // A port of `from` for a connection to `to`. nullopt: all examined ports are in use.
  [[nodiscard]] std::optional<std::uint16_t> choose(ipv4::address from, endpoint to, const flow_table& in_use,
                                                    time_point now);
  // The flow has ended: its port rests.
  void release(const flow_key& flow, time_point now);

 private:
  static constexpr std::size_t places = 65'536;

  [[nodiscard]] std::uint64_t hash_of(ipv4::address from, endpoint to) const;

  keyed_hash hash_;
  std::vector<std::uint16_t> released_;  // by destination's hash and port: the second of the last release, 0 for none
  std::vector<std::uint32_t> counters_;
};

}  // namespace netstack
