// mac_table: on which link each station was seen last, as a switch learns it. For frames between several VMs on one
// network: a known station's frame goes to its link, a group address goes to all other links, and a frame for an
// unknown station is dropped. Entries age, a link that left takes its entries along, and no link can fill the table: it
// has a bound of its own, and its new stations then replace its oldest ones. Pure; owned by host-switch's data plane.
//
// Open addressing with a fixed number of slots, so nothing is allocated for a frame.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "net/mac_address.hpp"
#include "netstack/stack/flow_id.hpp"

namespace links {

using netstack::link_id;

class mac_table {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds lifetime{300};  // without a frame; IEEE 802.1D's default
  static constexpr std::size_t most_stations = 512;
  static constexpr std::size_t most_of_link = 64;

  struct station {
    net::mac_address mac;
    link_id link = 0;
    time_point seen;
  };
  struct counts {
    std::uint64_t replaced = 0;  // a station gave way to a newer one of its link
    std::uint64_t refused = 0;   // the table is full
    std::uint64_t moved = 0;     // a station appeared on another link
    std::uint64_t unknown = 0;   // lookups of a station that is not known
  };

  mac_table() : slots_(slot_count) {}

  // The source address of a frame from `link`. Group addresses are no stations.
  void learn(const net::mac_address& mac, link_id link, time_point now);
  // Where the station is; nothing, and counted, if that is not known.
  [[nodiscard]] std::optional<link_id> find(const net::mac_address& mac, time_point now);
  // The link has ended.
  void forget(link_id link);

  // Those that have not aged out, in no order.
  [[nodiscard]] std::vector<station> stations(time_point now) const;
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const counts& counters() const { return counts_; }

 private:
  static constexpr std::size_t slot_count = 1024;  // a power of two, twice most_stations: searches are short
  struct slot {
    bool used = false;
    station held;
  };
  [[nodiscard]] std::size_t slot_of(const net::mac_address& mac) const;  // where it is, or where it would be
  void add(const net::mac_address& mac, link_id link, time_point now);
  [[nodiscard]] bool make_room(link_id link, time_point now);
  void erase(std::size_t at);

  std::vector<slot> slots_;
  std::size_t size_ = 0;
  counts counts_;
};

}  // namespace links
