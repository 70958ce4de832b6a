// mac_table: the link on which each station was last seen, as a switch learns it. It directs frames between VMs on one
// network: a frame for a known station goes to that station's link, one for a group address to all other links, and one
// for an unknown station is dropped. Entries age, a link that ends takes its entries along, and no link can fill the
// table: beyond a link's own bound, its new stations replace its oldest. Pure; owned by host-switch's data plane.
//
// Open addressing with a fixed number of slots, so no frame causes an allocation.
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
    std::uint64_t replaced = 0;  // a station was replaced by a newer one of its link
    std::uint64_t refused = 0;   // the table is full
    std::uint64_t moved = 0;     // a station appeared on another link
    std::uint64_t unknown = 0;   // lookups of unknown stations
  };

  mac_table() : slots_(slot_count) {}

  // Whether the station's link is known.
  [[nodiscard]] bool knows(const net::mac_address& mac, time_point now) const;
  // Another frame of a station. False: its link is unknown, or another one.
  bool refresh(const net::mac_address& mac, link_id link, time_point now);
  // Learns the source address of a frame from `link`. Ignores group addresses.
  void learn(const net::mac_address& mac, link_id link, time_point now);
  // The station's link; nullopt, and counted, if it is unknown.
  [[nodiscard]] std::optional<link_id> find(const net::mac_address& mac, time_point now);
  // The link has ended.
  void forget(link_id link);

  // The stations that have not aged out, in no particular order.
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
