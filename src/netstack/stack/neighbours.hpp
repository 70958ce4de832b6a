// neighbours: the MAC and link of each VM address, and packets that wait for them. Owned by the stack, which decides
// what is learned: only addresses that the sender leases.
//
// Theory of operation (RFC 826, RFC 1122 2.3.2). An address is located, requested, or unknown:
//   located    packets are sent immediately; a packet or ARP message from another place of the same lease moves it
//   requested  an ARP request is sent immediately and then once a second; packets wait. After three requests without an
//              answer the packets are dropped and the address is unknown
//   unknown    no entry: the next packet starts the requests
// A located entry does not age: each frame of its VM renews its place, and the end of its link removes it.
//
// Bounds: most_entries, where a requested address makes room first; most_waiting packets for an address, where the
// oldest is dropped, and most_waiting_bytes for all.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/mac_address.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

struct location {
  net::mac_address mac;
  link_id link = every_link;
};

class neighbours {
 public:
  using packet = std::vector<std::uint8_t>;  // from the IPv4 header on

  static constexpr std::chrono::seconds ask_interval{1};
  static constexpr unsigned most_asks = 3;
  static constexpr std::size_t most_waiting_bytes = std::size_t{1} << 20U;

  neighbours(std::size_t most_entries, std::size_t most_waiting)
      : most_entries_(most_entries), most_waiting_(most_waiting) {}

  [[nodiscard]] const location* find(ipv4::address a) const;
  // The address is located. Returns the packets that waited for it, oldest first.
  std::vector<packet> learn(ipv4::address a, const location& at);
  // Queues the packet, and starts the requests if needed. False: it was dropped.
  bool wait_for(ipv4::address a, packet p, time_point now);
  // Starts the requests, unless the address is located.
  void ask(ipv4::address a, time_point now);
  // Whether an address is located on the link.
  [[nodiscard]] bool has_any_on(link_id link) const;
  // Removes the entries of a link that has ended.
  void forget_link(link_id link);

  // The next address whose request is due.
  [[nodiscard]] std::optional<ipv4::address> take_due(time_point now);
  [[nodiscard]] time_point wake_at() const { return wake_at_; }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t located() const;
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }  // packets whose VM was not located

 private:
  struct entry {
    ipv4::address address;
    std::optional<location> at;
    unsigned asks = 0;
    time_point ask_at = time_point::max();
    std::vector<packet> waiting;
  };

  [[nodiscard]] entry* find_entry(ipv4::address a);
  entry* find_or_begin(ipv4::address a);
  void drop_waiting(entry& e);
  void remove(std::size_t at);
  void find_wake_time();

  std::size_t most_entries_;
  std::size_t most_waiting_;
  std::vector<entry> entries_;
  mutable std::size_t latest_ = 0;  // the last one found, which a stream of packets needs again
  std::size_t waiting_bytes_ = 0;
  time_point wake_at_ = time_point::max();
  std::uint64_t dropped_ = 0;
};

}  // namespace netstack
