#include "netstack/stack/flow_opener.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/flow_list.hpp"
#include "netstack/stack/flow_room.hpp"
#include "netstack/tcp/connection.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

tcp::limits flow_opener::limits_for(ipv4::address vm, std::size_t others) const {
  const auto* at = neighbours_.find(vm);
  const auto link = links_.find(at != nullptr ? at->link : every_link);
  tcp::limits l;
  l.most_segment = static_cast<std::uint16_t>(settings_.mtu - tcp_headers);
  l.largest_segment = std::max<std::size_t>(l.most_segment, link.most_segment_data);
  l.send_capacity = room_.most_ring_of(others);
  l.most_receive_window = link.most_segment_data > 0 ? flow_room::large_window : flow_room::plain_window;
  l.receive_window = l.most_receive_window;
  return l;
}

void flow_opener::accept(flow& f, const tcp::segment& syn, std::size_t others, time_point now) {
  const auto l = limits_for(f.key.vm.address, others);
  const auto initial = numbers_(f.key.peer.address, f.key.peer.port, f.key.vm.address, f.key.vm.port, now);
  f.syn = syn.number;
  f.large_window = l.most_receive_window == flow_room::large_window;
  f.machine = std::make_unique<tcp::connection>(tcp::connection::accept(syn, l, initial, now));
}

void flow_opener::open(flow& f, std::size_t others, time_point now) {
  const auto l = limits_for(f.key.vm.address, others);
  const auto initial = numbers_(f.key.peer.address, f.key.peer.port, f.key.vm.address, f.key.vm.port, now);
  f.is_ours = f.is_opening = true;
  f.give_up = now + settings_.open_limit;
  f.large_window = l.most_receive_window == flow_room::large_window;
  f.machine = std::make_unique<tcp::connection>(tcp::connection::open(l, initial, now));
}

}  // namespace netstack
