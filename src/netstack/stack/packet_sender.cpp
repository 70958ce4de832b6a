#include "netstack/stack/packet_sender.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "net/mac_address.hpp"
#include "netstack/arp.hpp"
#include "netstack/bytes.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/fragments.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

bytes_span packet_sender::begin_frame(const net::mac_address& to, ethernet::ethertype type, std::size_t size) {
  const auto frame = queue_.begin(ethernet::header_size + size);
  if (frame.empty()) {
    ++counted_.queue_full;
    return {};
  }
  ethernet::write_header(frame, to, settings_.gateway_mac, type);
  return frame.subspan(ethernet::header_size);
}

bytes_span packet_sender::begin(ipv4::address to, std::size_t payload_size) {
  const auto size = ipv4::header_size + payload_size;
  direct_ = size <= settings_.mtu ? neighbours_.find(to) : nullptr;
  if (direct_ == nullptr) {
    scratch_.resize(payload_size);
    return begun_ = scratch_;
  }
  const auto packet = begin_frame(direct_->mac, ethernet::ethertype::ipv4, size);
  return begun_ = packet.empty() ? packet : packet.subspan(ipv4::header_size);
}

bool packet_sender::send(ipv4::header_fields fields, time_point now) {
  fields.id = next_id();
  if (direct_ == nullptr) return send_in_pieces(fields, now);
  const bytes_span header(begun_.data() - ipv4::header_size, ipv4::header_size);
  ipv4::write_header(header, fields, begun_.size());
  queue_.add(direct_->mac, direct_->link);
  return true;
}

bool packet_sender::send_in_pieces(const ipv4::header_fields& fields, time_point now) {
  if (fields.dont_fragment && ipv4::header_size + begun_.size() > settings_.mtu) return false;
  const auto* at = neighbours_.find(fields.destination);
  bool all = true;
  for (auto& packet : cut(fields, begun_, settings_.mtu)) {
    if (at == nullptr) {
      all &= neighbours_.wait_for(fields.destination, std::move(packet), now);
      continue;
    }
    const auto place = begin_frame(at->mac, ethernet::ethertype::ipv4, packet.size());
    if (place.empty()) return false;
    std::ranges::copy(packet, place.begin());
    queue_.add(at->mac, at->link);
  }
  return all;
}

bool packet_sender::send_to(const location& at, ipv4::header_fields fields, bytes_view payload) {
  const auto place = begin_frame(at.mac, ethernet::ethertype::ipv4, ipv4::header_size + payload.size());
  if (place.empty()) return false;
  fields.id = next_id();
  ipv4::write_header(place, fields, payload.size());
  std::ranges::copy(payload, place.begin() + ipv4::header_size);
  queue_.add(at.mac, at.link);
  return true;
}

void packet_sender::send_waited(const location& at, bytes_view packet) {
  const auto place = begin_frame(at.mac, ethernet::ethertype::ipv4, packet.size());
  if (place.empty()) return;
  std::ranges::copy(packet, place.begin());
  queue_.add(at.mac, at.link);
}

void packet_sender::ask_by_arp(ipv4::address a, link_id link) {
  const auto place = begin_frame(net::mac_address::broadcast(), ethernet::ethertype::arp, arp::message_size);
  if (place.empty()) return;
  arp::write(place, {.what = arp::operation::request,
                     .sender_mac = settings_.gateway_mac,
                     .sender = settings_.gateway(),
                     .target_mac = {},
                     .target = a});
  queue_.add(net::mac_address::broadcast(), link);
}

void packet_sender::answer_arp(ipv4::address own, const location& to, ipv4::address asker) {
  const auto place = begin_frame(to.mac, ethernet::ethertype::arp, arp::message_size);
  if (place.empty()) return;
  arp::write(place, {.what = arp::operation::reply,
                     .sender_mac = settings_.gateway_mac,
                     .sender = own,
                     .target_mac = to.mac,
                     .target = asker});
  queue_.add(to.mac, to.link);
}

}  // namespace netstack
