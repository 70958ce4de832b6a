// source_ports: chooses the gateway's port for a connection to a VM, such that the VM has no TIME_WAIT for it. Owned by
// tcp_flows.
//
// Theory of operation. Each choice for one destination takes the next port of the range, starting at a keyed hash of
// the destination (RFC 6056, 3.3.3), so a port returns only after all others. A port that was released less than 60 s
// ago is skipped (Linux keeps TIME_WAIT that long). If every port is in use or resting, one that has rested for a long
// time is used: initial sequence numbers rise with time, and Linux then accepts the SYN.
//
// A choice takes the same time however many ports are in use: it examines most_tries / 2 consecutive ports and as many
// that a hash selects, then the oldest most_tries releases.
//
// Bounds: most_resting ports rest at one time, in the order of their release; a further one ends the rest of the
// oldest. most_counters destinations share counters by hash; a collision only makes ports advance faster.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "netstack/stack/flow_table.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

class source_ports {
 public:
  static constexpr std::uint16_t first_port = 16'384;
  static constexpr std::uint32_t count = 65'536 - first_port;
  static constexpr std::size_t most_resting = 65'536;
  static constexpr std::size_t most_counters = 256;
  static constexpr std::uint32_t most_tries = 256;
  static constexpr std::chrono::seconds rest{60};

  explicit source_ports(const keyed_hash& hash) : hash_(hash), resting_(hash), counters_(most_counters) {}

  // A port of `from` for a connection to `to`. nullopt: all examined ports are in use.
  [[nodiscard]] std::optional<std::uint16_t> choose(ipv4::address from, endpoint to, const flow_table& in_use,
                                                    time_point now);
  // The flow has ended: its port rests.
  void release(const flow_key& flow, time_point now);

  [[nodiscard]] std::size_t resting() const { return resting_.size(); }

 private:
  struct released {
    flow_key flow;
    time_point when;
  };

  [[nodiscard]] std::optional<std::uint16_t> oldest_at_rest(ipv4::address from, endpoint to,
                                                            const flow_table& in_use) const;
  void end_rests(time_point now);
  void end_first_rest();

  keyed_hash hash_;
  flow_table resting_;                 // flow → its number in queue_
  std::vector<released> queue_;        // a ring, by time of release; only the last release of a flow counts
  std::uint32_t begin_ = 0, end_ = 0;  // numbers that wrap; the place is the number modulo the ring's size
  std::vector<std::uint32_t> counters_;
};

}  // namespace netstack
