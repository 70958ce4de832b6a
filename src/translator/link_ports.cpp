#include "translator/link_ports.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "link/framing.hpp"
#include "link/plain_frame.hpp"
#include "link/segment_cutter.hpp"
#include "link/virtio_net.hpp"
#include "net/mac_address.hpp"
#include "netstack/arp.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/time_point.hpp"
#include "translator/link_port.hpp"
#include "translator/shared.hpp"

namespace translator {
namespace {

// A frame of 65,535 bytes of IP, less its headers with the longest TCP options that the stack sends.
constexpr std::size_t most_segment_data = 65'535 - 20 - 60;

}  // namespace

link_ports::link_ports(shared& common, net::mac_address gateway, std::function<bool()> process)
    : common_(common), gateway_(gateway), process_(std::move(process)) {}

link_ports::~link_ports() {
  for (const auto& one : ports_) one.port->close();
}

bool link_ports::make_room() {
  if (ports_.size() < most_links) return true;
  const auto oldest = std::ranges::find_if(ports_, [](const entry& e) {
    return e.of_peer == silence::gives_the_place && e.port->counters().frames_in == 0;
  });
  if (oldest == ports_.end() || common_.now() - oldest->began < time_to_speak) return false;
  ended(*oldest->port, {{}, "it has sent no frame, and another peer takes its place"});
  return true;
}

base::result<> link_ports::add(any_link link, silence of_peer, std::function<void(base::error)> over) {
  auto port = std::make_unique<link_port>(*this, ++last_id_, std::move(link));
  if (!port->watch()) return base::fail_errno("watch a link");
  if (!make_room()) {
    port->close();
    return base::fail(std::errc::too_many_links, "");
  }
  common_.stack.link_up(port->id(), {}, common_.now());
  ports_.push_back({std::move(port), std::move(over), of_peer, common_.now()});
  increment(common_.count.links);
  return {};
}

void link_ports::ended(link_port& port, const base::error& why) {
  const auto at = std::ranges::find(ports_, &port, [](const entry& e) { return e.port.get(); });
  port.close();
  gone_.emplace_back(std::move(*at), why);
  ports_.erase(at);
}

void link_ports::let_ended_leave() {
  for (auto& [left, why] : std::exchange(gone_, {})) {
    const auto id = left.port->id();
    common_.stack.link_down(id, common_.now());
    stations_.forget(id);
    decrement(common_.count.links);
    common_.loop.retire(std::move(left.port));
    left.over(why);
  }
}

void link_ports::properties_changed(const link_port& of) {
  common_.stack.link_up(of.id(), {.checksum_offload = true, .most_segment_data = most_segment_data}, common_.now());
}

std::optional<netstack::frame_in> link_ports::take(const link_port& from, const links::received_frame& received) {
  netstack::frame_in in;
  in.bytes = received.frame;
  in.link = from.id();
  if (received.header.empty()) return in;
  const auto header = links::virtio_net::parse(received.header, received.frame);
  if (!header) return increment(common_.count.frames_refused), std::nullopt;
  in.how = header->how;
  in.checksum_valid = header->checksum_valid;
  return in;
}

void link_ports::received(link_port& from, std::span<const links::received_frame> frames) {
  batch_.clear();
  for (const auto& one : frames) {
    if (recording_) recording_->add(std::array{one.frame});
    const auto in = take(from, one);
    if (in && switch_frame(from, *in)) batch_.push_back(*in);
  }
  common_.stack.on_frames(batch_, common_.now());
  static_cast<void>(process_());
  common_.stack.end_batch(common_.now());
}

std::vector<link_status> link_ports::status() const {
  std::vector<link_status> made;
  for (const auto& one : ports_)
    made.push_back({one.port->id(), one.port->takes_offload(), one.port->is_blocked(), one.port->counters()});
  return made;
}

link_port* link_ports::find(netstack::link_id id) const {
  const auto at = std::ranges::find(ports_, id, [](const entry& e) { return e.port->id(); });
  return at == ports_.end() ? nullptr : at->port.get();
}

netstack::time_point link_ports::wake_at() const {
  auto first = netstack::time_point::max();
  for (const auto& one : ports_) first = std::min(first, one.port->wake_at());
  return first;
}

link_ports::claim link_ports::claim_of(const link_port& from, const netstack::ethernet::frame& frame) {
  using netstack::ethernet::ethertype;
  netstack::ipv4::address source;
  if (frame.is(ethertype::arp)) {
    const auto m = netstack::arp::parse(frame.payload);
    if (!m || m->sender_mac != frame.source) return claim::false_one;
    source = m->sender;
  } else if (frame.is(ethertype::ipv4)) {
    const auto packet = netstack::ipv4::parse(frame.payload);
    if (!packet) return claim::false_one;
    source = packet->source;
  }
  if (source.value == 0) return claim::none;
  const bool own = common_.stack.accepts_source(frame.source, source, from.id(), common_.now());
  return own ? claim::own : claim::false_one;
}

// A request of DHCP is from no address: the stack alone needs it.
bool link_ports::may_reach_others(const link_port& from, const netstack::ethernet::frame& frame) {
  const auto made = claim_of(from, frame);
  return made == claim::own || (made == claim::none && !frame.is(netstack::ethernet::ethertype::ipv4));
}

// A frame without an address of its own makes a station known, but takes none away from the link where it is.
void link_ports::learn(const link_port& from, const netstack::ethernet::frame& frame) {
  const auto now = common_.now();
  if (stations_.refresh(frame.source, from.id(), now)) return;
  const auto made = claim_of(from, frame);
  if (made == claim::own || (made == claim::none && !stations_.knows(frame.source, now)))
    stations_.learn(frame.source, from.id(), now);
}

// For a link without offload.
void link_ports::pass_on_cut(link_port& to, const netstack::frame_in& frame) {
  const auto cutter = links::segment_cutter::begin(frame.how, frame.bytes);
  if (!cutter) return increment(common_.count.frames_refused);
  increment(common_.count.frames_cut);
  for (std::size_t i = 0; i < cutter->count(); ++i) {
    const auto segment = copies_.room(cutter->size(i));
    cutter->write(i, segment);
    to.send({}, segment);
  }
}

void link_ports::pass_on(link_port& to, const netstack::frame_in& frame, netstack::bytes_view& plain) {
  if (to.takes_offload()) return to.send(frame.how, frame.bytes);
  if (frame.how.gso_size != 0) return pass_on_cut(to, frame);
  if (plain.empty() && !frame.how.needs_checksum) plain = frame.bytes;
  if (plain.empty()) {
    const auto copy = copies_.add(frame.bytes);
    if (!links::make_plain(frame.how, copy)) return increment(common_.count.frames_refused);
    plain = copy;
  }
  to.send({}, plain);
}

void link_ports::flood(const link_port& from, const netstack::frame_in& frame) {
  if (frame.how.gso_size != 0) return increment(common_.count.frames_refused);  // TCP has no groups
  increment(common_.count.frames_flooded);
  netstack::bytes_view plain;
  for (std::size_t i = ports_.size(); i-- > 0;)
    if (ports_[i].port.get() != &from) pass_on(*ports_[i].port, frame, plain);
}

// The stack counts what it refuses itself.
bool link_ports::switch_frame(const link_port& from, const netstack::frame_in& frame) {
  const auto head = netstack::ethernet::parse(frame.bytes);
  if (!head || head->source.is_group()) return true;
  if (head->source == gateway_) return increment(common_.count.frames_refused), false;
  learn(from, *head);
  if (head->destination == gateway_) return true;
  const bool honest = ports_.size() > 1 && may_reach_others(from, *head);
  if (head->destination.is_group()) {
    if (honest) flood(from, frame);
    return true;
  }
  const auto to = stations_.find(head->destination, common_.now());
  auto* const port = to ? find(*to) : nullptr;
  if (port == nullptr || port == &from) return increment(common_.count.frames_unknown), false;
  if (!honest) return increment(common_.count.frames_refused), false;
  increment(common_.count.frames_switched);
  netstack::bytes_view plain;
  pass_on(*port, frame, plain);
  return false;
}

bool link_ports::can_send() const {
  return std::ranges::any_of(ports_, [](const entry& e) { return !e.port->is_blocked(); });
}

void link_ports::send(const netstack::frame_out& frame) {
  if (recording_) recording_->add(frame.parts);
  for (std::size_t i = ports_.size(); i-- > 0;)  // backwards: a port that fails is removed
    if (frame.link == netstack::every_link || ports_[i].port->id() == frame.link) ports_[i].port->send(frame);
}

// The stack keeps each frame's bytes until another of its members is called: none is called before all ports have
// written.
void link_ports::transmit() {
  netstack::frame_out frame;
  while (can_send() && common_.stack.next_frame(frame, common_.now())) send(frame);
  for (std::size_t i = ports_.size(); i-- > 0;) ports_[i].port->flush();
  copies_.release();
  let_ended_leave();
  if (recording_ && !recording_->flush()) {
    base::log::warn("pcap", "recording ended: cannot write");
    recording_.reset();
  }
}

}  // namespace translator
