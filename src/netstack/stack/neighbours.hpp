// neighbours: where the VMs are: the MAC and the link of each address, and packets that wait for them. Owned by the
// stack, which decides what is learnt: only addresses that belong to their sender by lease.
//
// Theory of operation (RFC 826, RFC 1122 2.3.2). An address is located, asked for, or forgotten:
//   located    packets go out at once; a packet or ARP message from another place of the same lease moves it
//   asked for  a request goes out at once and then once a second; packets wait. After three requests without an answer
//              the packets are dropped and the address is forgotten
//   forgotten  no entry: the next packet begins to ask
// A located entry stays: its VM says where it is by each frame, and its link's end forgets it.
//
// Bounds: most_entries, where an address that is asked for makes room first; most_waiting packets for an address, where
// the oldest goes, and most_waiting_bytes for all.
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
  // The address is there. What waited for it, oldest first.
  std::vector<packet> learn(ipv4::address a, const location& at);
  // Makes the packet wait, and asks if nothing does yet. False: it was dropped.
  bool wait_for(ipv4::address a, packet p, time_point now);
  // Asks, if the address is not located.
  void ask(ipv4::address a, time_point now);
  // The link has ended: what was there is forgotten.
  void forget_link(link_id link);

  // The next address to send a request for, when its time has come.
  [[nodiscard]] std::optional<ipv4::address> take_due(time_point now);
  [[nodiscard]] time_point wake_at() const { return wake_at_; }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t located() const;
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }  // packets that waited in vain

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
  mutable std::size_t latest_ = 0;  // found last: a stream of packets finds it again at once
  std::size_t waiting_bytes_ = 0;
  time_point wake_at_ = time_point::max();
  std::uint64_t dropped_ = 0;
};

}  // namespace netstack
