// flow_opener: gives a new flow its connection, with the initial sequence number, the sizes of the VM's link and the
// room of that moment; and chooses the gateway's port for a connection to a VM. Owned by tcp_flows; it keeps no flow.
#pragma once

#include <cstdint>
#include <optional>

#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_list.hpp"
#include "netstack/stack/flow_room.hpp"
#include "netstack/stack/keyed_hash.hpp"
#include "netstack/stack/links.hpp"
#include "netstack/stack/neighbours.hpp"
#include "netstack/stack/settings.hpp"
#include "netstack/stack/source_ports.hpp"
#include "netstack/tcp/initial_sequence.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/segment.hpp"

namespace netstack {

class flow_opener {
 public:
  static constexpr std::size_t tcp_headers = ipv4::header_size + tcp::header_size;

  // All of these outlive it.
  flow_opener(const stack_settings& settings, const flow_room& room, neighbours& all_neighbours, const links& all_links)
      : settings_(settings),
        room_(room),
        neighbours_(all_neighbours),
        links_(all_links),
        numbers_(settings.secret),
        ports_(keyed_hash(settings.secret)) {}

  // Start the connection of `f`, whose key is set; there are `others` beside it. By a SYN of the VM, or by the owner.
  void accept(flow& f, const tcp::segment& syn, std::size_t others, time_point now);
  void open(flow& f, std::size_t others, time_point now);

  // nullopt: all ports that were examined are in use.
  [[nodiscard]] std::optional<std::uint16_t> choose_port(ipv4::address from, endpoint to, const flow_list& all,
                                                         time_point now) {
    return ports_.choose(from, to, all.keys(), now);
  }
  // A flow that the owner opened has ended: its port rests.
  void release_port(const flow_key& key, time_point now) { ports_.release(key, now); }

 private:
  [[nodiscard]] tcp::limits limits_for(ipv4::address vm, std::size_t others) const;

  const stack_settings& settings_;
  const flow_room& room_;
  neighbours& neighbours_;
  const links& links_;
  tcp::initial_sequence numbers_;
  source_ports ports_;
};

}  // namespace netstack
