// statistics: the stack's counters since its start, and its present totals.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace netstack {

struct statistics {
  std::uint64_t frames_in = 0, bytes_in = 0, frames_out = 0, bytes_out = 0;

  // Dropped frames and packets, by reason.
  std::uint64_t malformed = 0;      // headers with invalid lengths, and wrong checksums
  std::uint64_t not_for_stack = 0;  // another MAC, or an address of the subnet that is not the stack's
  std::uint64_t ipv6 = 0;
  std::uint64_t other_types = 0;  // neither IPv4, ARP nor IPv6; protocols other than TCP, UDP and ICMP
  std::uint64_t spoofed = 0;      // the source is not the sender's lease
  std::uint64_t multicast = 0;    // multicasts and broadcasts other than DHCP
  std::uint64_t ttl_exceeded = 0;
  std::uint64_t fragments_dropped = 0;  // datagrams whose fragments overlap, are late or are too many
  std::uint64_t errors_suppressed = 0;  // ICMP errors and RSTs beyond the limit
  std::uint64_t queue_full = 0;         // datagrams and answers toward the VM
  std::uint64_t no_neighbour = 0;       // packets for an address without a known MAC
  std::uint64_t memory_full = 0;        // TCP payload beyond receive_memory; the VM sends it again

  // TCP.
  std::uint64_t accepted = 0;       // the VM's connections
  std::uint64_t opened = 0;         // ours
  std::uint64_t forbidden = 0;      // refused destinations, TCP and UDP
  std::uint64_t flows_refused = 0;  // the table of flows was full
  std::uint64_t half_open_evicted = 0;
  std::uint64_t connects_failed = 0;
  std::uint64_t resets_in = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t segments_out = 0;       // before a plain link's frames are cut from them
  std::uint64_t segments_repeated = 0;  // of them: sent before

  // UDP and ICMP.
  std::uint64_t datagrams_in = 0, datagrams_out = 0;
  std::uint64_t echoes = 0;
  std::uint64_t errors_out = 0;  // ICMP errors sent to the VM

  // Now.
  std::uint64_t flows = 0, half_open = 0, neighbours = 0, fragments_waiting = 0;
  std::uint64_t tcp_memory = 0, queued_bytes = 0;

  struct named {
    std::string_view name;  // for metrics: lower case, with underscores
    std::uint64_t value = 0;
    bool is_gauge = false;
  };
  static constexpr std::size_t count = 36;
  [[nodiscard]] std::array<named, count> all() const;
};

}  // namespace netstack
