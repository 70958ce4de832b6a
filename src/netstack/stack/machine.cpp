#include "netstack/stack/machine.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "net/mac_address.hpp"
#include "netstack/arp.hpp"
#include "netstack/dhcp/message.hpp"
#include "netstack/dhcp/server.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/icmp.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/destination.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/stack/neighbours.hpp"
#include "netstack/stack/settings.hpp"
#include "netstack/stack/stack.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/time_point.hpp"
#include "netstack/udp_datagram.hpp"

namespace netstack {
namespace {

dhcp::settings dhcp_settings(const stack_settings& s) {
  dhcp::settings made(s.subnet);
  made.mtu = s.mtu;
  made.hosts.clear();
  for (const auto& entry : s.nat)
    if (is_in_subnet(s, entry.inside)) made.hosts.push_back(entry.inside);
  for (const auto& one : s.leases) static_cast<void>(made.add_fixed(one));  // the owner has checked them
  return made;
}

}  // namespace

stack::machine::machine(stack_settings settings, time_point now)
    : settings_(std::move(settings)),
      neighbours_(settings_.limits.neighbours, settings_.limits.waiting_packets),
      fragments_(settings_.limits.fragments),
      dhcp_(dhcp_settings(settings_)),
      queue_(settings_.limits.queued_packets),
      packets_(settings_, neighbours_, queue_, counted_),
      errors_(settings_, packets_, counted_),
      datagrams_(settings_, counted_, actions_, errors_, packets_),
      flows_({settings_, counted_, actions_, errors_, packets_, neighbours_, links_}),
      now_(now) {
  dhcp_.set_search_domains(settings_.search_domains);
  dhcp_.begin(now);
}

void stack::machine::begin_call(time_point now) {
  now_ = std::max(now_, now);
  if (!std::exchange(frames_taken_, false)) return;
  queue_.release_taken();
  flows_.release_frames();
}

// ---- Links and neighbours

// A VM that kept its address may stay silent, so the stack sends an ARP request for each leased address.
void stack::machine::link_up(link_id link, const link_properties& properties, time_point now) {
  links_.add(link, properties);
  for (const auto& one : dhcp_.leases(now)) neighbours_.ask(one.address, now);
}

void stack::machine::link_down(link_id link) {
  links_.remove(link);
  neighbours_.forget_link(link);
  flows_.let_go();
}

void stack::machine::link_blocked(link_id link, bool blocked) {
  links_.set_blocked(link, blocked);
  if (!blocked) flows_.let_go();
}

void stack::machine::locate(ipv4::address a, const location& at) {
  if (flows_.holds_up()) {  // the VM may have left a link that is blocked
    const auto* before = neighbours_.find(a);
    if (before == nullptr || before->link != at.link) flows_.let_go();
  }
  for (const auto& packet : neighbours_.learn(a, at)) packets_.send_waited(at, packet);
}

// Only for a link without a VM: else one link could take all addresses under invented MACs.
bool stack::machine::accepts_source(const net::mac_address& mac, ipv4::address address, link_id link, time_point now) {
  if (dhcp_.owns(mac, address, now)) return true;
  if (neighbours_.has_any_on(link)) return false;
  const auto adopted = dhcp_.adopt(mac, address, now);
  if (!adopted) return false;
  locate(address, {mac, link});
  actions_.add(action::lease_changed{*adopted});
  return true;
}

void stack::machine::ask_neighbours(time_point now) {
  while (const auto due = neighbours_.take_due(now)) packets_.ask_by_arp(*due, every_link);
}

// ---- Frames in

void stack::machine::on_frame(const frame_in& whole, time_point now) {
  ++counted_.frames_in;
  counted_.bytes_in += whole.bytes.size();
  const auto frame = ethernet::parse(whole.bytes);
  if (!frame || frame->source.is_group()) {
    ++counted_.malformed;
  } else if (frame->destination != settings_.gateway_mac && !frame->destination.is_group()) {
    ++counted_.not_for_stack;
  } else if (frame->is(ethernet::ethertype::ipv4)) {
    on_ipv4(*frame, whole, now);
  } else if (frame->is(ethernet::ethertype::arp)) {
    on_arp(*frame, whole.link, now);
  } else {
    ++(frame->is(ethernet::ethertype::ipv6) ? counted_.ipv6 : counted_.other_types);
  }
}

void stack::machine::on_arp(const ethernet::frame& frame, link_id link, time_point now) {
  const auto m = arp::parse(frame.payload);
  if (!m || m->sender_mac != frame.source) {
    ++counted_.malformed;
    return;
  }
  const location from{m->sender_mac, link};
  if (!m->is_probe()) {
    if (!accepts_source(m->sender_mac, m->sender, link, now)) {
      ++counted_.spoofed;
      return;
    }
    locate(m->sender, from);
  }
  if (m->what == arp::operation::request && is_own_address(settings_, m->target))
    packets_.answer_arp(m->target, from, m->sender);
}

void stack::machine::on_ipv4(const ethernet::frame& frame, const frame_in& whole, time_point now) {
  const auto packet = ipv4::parse(frame.payload);
  if (!packet) {
    ++counted_.malformed;
    return;
  }
  if (on_dhcp(frame, *packet, whole, now)) return;
  if (!accepts_source(frame.source, packet->source, whole.link, now)) {
    ++counted_.spoofed;
    return;
  }
  locate(packet->source, {frame.source, whole.link});
  if (frame.destination.is_group() || look_up(settings_, packet->destination).kind == destination_kind::group) {
    ++counted_.multicast;
    return;
  }
  if (!packet->is_fragment()) return on_packet(*packet, !whole.how.needs_checksum && !whole.checksum_valid, now);
  auto together = fragments_.add(*packet, now);
  if (!together) return;
  together->header = actions_.keep(together->header);
  together->payload = actions_.keep(together->payload);
  on_packet(*together, true, now);
}

bool stack::machine::on_dhcp(const ethernet::frame& frame, const ipv4::packet& packet, const frame_in& whole,
                             time_point now) {
  const bool ours = packet.destination.is_broadcast() || packet.destination == settings_.gateway();
  if (!packet.is(ipv4::protocol::udp) || packet.is_fragment() || !ours) return false;
  const auto d = udp::parse(packet, whole.how.needs_checksum ? udp::check::skip : udp::check::verify);
  if (!d || d->destination_port != dhcp::server_port) return false;
  const auto answer = dhcp_.on_message(d->payload, frame.source, now);
  if (!answer) return true;
  std::vector<std::uint8_t> bytes(udp::header_size + answer->payload.size());
  std::ranges::copy(answer->payload, bytes.begin() + udp::header_size);
  udp::write_header(bytes, settings_.gateway(), answer->address, dhcp::server_port, dhcp::client_port);
  packets_.send_to({answer->mac, answer->mac.is_group() ? every_link : whole.link},
                   {.source = settings_.gateway(), .destination = answer->address, .protocol = ipv4::protocol::udp},
                   bytes);
  if (answer->leased) {
    locate(answer->leased->address, {frame.source, whole.link});
    actions_.add(action::lease_changed{*answer->leased});
  }
  return true;
}

// ---- Packets in

void stack::machine::on_packet(ipv4::packet packet, bool verify, time_point now) {
  const auto where = look_up(settings_, packet.destination);
  const bool passes_on = where.kind == destination_kind::host && !where.translated;
  if (passes_on && packet.ttl <= 1) {
    ++counted_.ttl_exceeded;
    return errors_.send(icmp::type::time_exceeded, 0, packet, now);
  }
  if (passes_on) --packet.ttl;
  if (packet.is(ipv4::protocol::tcp)) return on_tcp(packet, where, verify, now);
  if (packet.is(ipv4::protocol::udp)) return on_udp(packet, where, verify, now);
  if (packet.is(ipv4::protocol::icmp)) return on_icmp(packet, where, now);
  ++counted_.other_types;
  errors_.send(icmp::type::unreachable, static_cast<std::uint8_t>(icmp::unreachable::protocol), packet, now);
}

void stack::machine::on_tcp(const ipv4::packet& packet, const destination& where, bool verify, time_point now) {
  const auto s = tcp::parse(packet, verify ? tcp::check::verify : tcp::check::skip);
  if (!s) {
    ++counted_.malformed;
    return;
  }
  flows_.on_segment(packet, *s, where, now);
}

void stack::machine::on_udp(const ipv4::packet& packet, const destination& where, bool verify, time_point now) {
  const auto d = udp::parse(packet, verify ? udp::check::verify : udp::check::skip);
  if (!d) {
    ++counted_.malformed;
    return;
  }
  datagrams_.on_udp(packet, *d, where, now);
}

void stack::machine::on_icmp(const ipv4::packet& packet, const destination& where, time_point now) {
  const auto m = icmp::parse(packet.payload);
  if (!m) {
    ++counted_.malformed;
    return;
  }
  if (m->is(icmp::type::echo_request)) return datagrams_.on_echo_request(packet, *m, where, now);
  if (!m->is(icmp::type::unreachable)) return;
  const auto about = icmp::parse_quoted(*m);
  // A VM may only report about its own traffic: the quoted packet went to it.
  if (!about || about->packet.destination != packet.source) return;
  if (about->packet.is(ipv4::protocol::tcp)) flows_.on_unreachable(*m, *about, now);
  if (about->packet.is(ipv4::protocol::udp)) datagrams_.on_unreachable(*m, *about);
}

// ---- Out

std::optional<any_action> stack::machine::next_action() {
  if (auto next = actions_.take()) return next;
  flows_.settle(now_);
  return actions_.take();
}

void stack::machine::end_batch(time_point now) {
  flows_.keep_arrived();
  flows_.settle(now);
  actions_.release();
}

bool stack::machine::next_frame(frame_out& to, time_point now) {
  ask_neighbours(now);
  frames_taken_ = true;
  queue_first_ = !queue_first_;
  const bool any =
      queue_first_ ? queue_.take(to) || flows_.next_frame(to, now) : flows_.next_frame(to, now) || queue_.take(to);
  if (!any) return false;
  ++counted_.frames_out;
  counted_.bytes_out += to.size;
  return true;
}

time_point stack::machine::wake_at() const {
  return std::min({flows_.wake_at(), neighbours_.wake_at(), fragments_.wake_at()});
}

void stack::machine::on_time(time_point now) {
  fragments_.expire(now);
  ask_neighbours(now);
  flows_.on_time(now);
}

statistics stack::machine::counters() const {
  auto all = counted_;
  all.fragments_dropped = fragments_.dropped();
  all.fragments_waiting = fragments_.datagrams();
  all.no_neighbour = neighbours_.dropped();
  all.neighbours = neighbours_.located();
  all.flows = flows_.size();
  all.half_open = flows_.half_open();
  all.tcp_memory = flows_.memory();
  all.queued_bytes = queue_.bytes();
  return all;
}

}  // namespace netstack
