// fake_vm: a VM on a link of the stack, as bytes: it makes frames, and reads those of the stack with the same checks
// that a kernel makes (lengths, every checksum). And a clock that tests move.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "netstack/arp.hpp"
#include "netstack/checksum.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/fragments.hpp"
#include "netstack/icmp.hpp"
#include "netstack/stack/stack.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/udp_datagram.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace netstack {

using namespace std::chrono_literals;

inline constexpr net::mac_address vm_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};
inline constexpr net::mac_address gateway_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xdd}};
inline constexpr net::mac_address other_mac{{0x02, 0, 0, 0, 0, 9}};
inline constexpr ipv4::address host_alias{0xc0a87ffe};  // 192.168.127.254
inline constexpr ipv4::address server{0xc6336407};      // 198.51.100.7
inline constexpr ipv4::address localhost{0x7f000001};

struct sent_frame {
  bytes whole;
  offload how;
  link_id link = 0;

  [[nodiscard]] ethernet::frame frame() const { return *ethernet::parse(whole); }
  [[nodiscard]] ipv4::packet packet() const { return ipv4::parse(frame().payload).value_or(ipv4::packet{}); }
};

inline bytes udp_datagram(endpoint from, endpoint to, const bytes& payload) {
  bytes datagram(udp::header_size + payload.size());
  std::ranges::copy(payload, datagram.begin() + udp::header_size);
  udp::write_header(datagram, from.address, to.address, from.port, to.port);
  return datagram;
}

inline bytes tcp_packet(endpoint from, endpoint to, tcp::segment s, const bytes& payload = {}, std::uint8_t ttl = 64) {
  s.source_port = from.port;
  s.destination_port = to.port;
  const auto own = tcp::size_of_header(s.options);
  bytes segment(own + payload.size());
  std::ranges::copy(payload, segment.begin() + static_cast<std::ptrdiff_t>(own));
  tcp::write_header(segment, from.address, to.address, s);
  return make_packet({.source = from.address, .destination = to.address, .protocol = ipv4::protocol::tcp, .ttl = ttl},
                     segment);
}

class fake_vm {
 public:
  explicit fake_vm(const stack_settings& settings = {}, bool located = true) : net(settings, now) {
    net.link_up(0, {}, now);
    pull();
    if (located) say_where();
    seen.clear();
  }

  void say_where() { arp_message(arp::operation::reply, vm, gateway); }

  void arp_message(arp::operation what, ipv4::address sender, ipv4::address target) {
    bytes frame(ethernet::header_size + arp::message_size);
    ethernet::write_header(frame, gateway_mac, mac, ethernet::ethertype::arp);
    arp::write(bytes_span(frame).subspan(ethernet::header_size),
               {.what = what, .sender_mac = mac, .sender = sender, .target_mac = {}, .target = target});
    put(frame);
  }

  void put(const bytes& frame, const offload& how = {}) {
    const frame_in in{.bytes = frame, .how = how, .checksum_valid = false, .link = link};
    net.on_frames(std::span(&in, 1), now);
    turn();
  }

  void put_packet(const bytes& packet, const offload& how = {}) {
    bytes frame(ethernet::header_size + packet.size());
    ethernet::write_header(frame, destination_mac, mac, ethernet::ethertype::ipv4);
    std::ranges::copy(packet, frame.begin() + ethernet::header_size);
    put(frame, how);
  }

  void put_udp(endpoint from, endpoint to, const bytes& payload, std::uint8_t ttl = 64) {
    const ipv4::header_fields fields{
        .source = from.address, .destination = to.address, .protocol = ipv4::protocol::udp, .ttl = ttl, .id = ++id};
    for (const auto& packet : cut(fields, udp_datagram(from, to, payload), 1'500)) put_packet(packet);
  }

  void put_icmp(ipv4::address to, const bytes& message, std::uint8_t ttl = 64) {
    const ipv4::header_fields fields{
        .source = vm, .destination = to, .protocol = ipv4::protocol::icmp, .ttl = ttl, .id = ++id};
    for (const auto& packet : cut(fields, message, 1'500)) put_packet(packet);
  }

  void put_tcp(endpoint from, endpoint to, const tcp::segment& s, const bytes& payload = {}, std::uint8_t ttl = 64) {
    put_packet(tcp_packet(from, to, s, payload, ttl));
  }

  // What the owner of the stack does in a turn: takes actions, ends the batch, writes frames.
  void turn() {
    take_actions();
    net.end_batch(now);
    take_actions();
    pull();
  }

  void take_actions() {
    while (auto next = net.next_action()) {
      if (auto* d = std::get_if<action::datagram>(&*next)) payloads.push_back(to_bytes(d->payload));
      if (auto* e = std::get_if<action::echo>(&*next)) payloads.push_back(to_bytes(e->payload));
      actions.push_back(*next);
    }
  }

  void pull() {
    if (!reads) return;
    frame_out out;
    while (net.next_frame(out, now)) {
      sent_frame frame{.whole = {}, .how = out.how, .link = out.link};
      for (const auto& part : out.parts) frame.whole.insert(frame.whole.end(), part.begin(), part.end());
      EXPECT_EQ(frame.whole.size(), out.size);
      EXPECT_EQ(ethernet::parse(frame.whole)->destination, out.destination);
      EXPECT_EQ(ethernet::parse(frame.whole)->source, gateway_mac);
      check(frame);
      seen.push_back(std::move(frame));
    }
  }

  // Each packet of the stack is right: lengths, header checksum, transport checksum.
  static void check(const sent_frame& frame) {
    if (!frame.frame().is(ethernet::ethertype::ipv4)) return;
    const auto packet = ipv4::parse(frame.frame().payload);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->header.size() + packet->payload.size(), frame.frame().payload.size());
    if (packet->is_fragment() || frame.how.needs_checksum) return;
    if (packet->is(ipv4::protocol::tcp)) EXPECT_TRUE(tcp::parse(*packet));
    if (packet->is(ipv4::protocol::udp)) EXPECT_TRUE(udp::parse(*packet));
    if (packet->is(ipv4::protocol::icmp)) EXPECT_TRUE(icmp::parse(packet->payload));
  }

  // The only action since the last call, which must be of this kind.
  template <class Action>
  Action only() {
    EXPECT_EQ(actions.size(), 1U);
    Action found{};
    if (!actions.empty() && std::holds_alternative<Action>(actions.front())) {
      found = std::get<Action>(actions.front());
    } else {
      ADD_FAILURE() << "another action, or none";
    }
    actions.clear();
    return found;
  }

  // The only frame since the last call.
  sent_frame only_frame() {
    EXPECT_EQ(seen.size(), 1U);
    auto frame = seen.empty() ? sent_frame{.whole = bytes(60), .how = {}} : seen.front();
    seen.clear();
    return frame;
  }
  tcp::segment only_segment() {
    last_ = only_frame();
    return tcp::parse(last_.packet(), tcp::check::skip).value_or(tcp::segment{});
  }
  icmp::message only_icmp() {
    last_ = only_frame();
    return icmp::parse(last_.packet().payload).value_or(icmp::message{});
  }
  [[nodiscard]] const sent_frame& last() const { return last_; }

  void pass(std::chrono::nanoseconds time) {
    now += time;
    net.on_time(now);
    turn();
  }

  time_point now{std::chrono::hours(1'000)};
  stack net;
  net::mac_address mac = vm_mac;
  net::mac_address destination_mac = gateway_mac;
  link_id link = 0;
  std::uint16_t id = 0;
  bool reads = true;  // false: its link takes no frame
  std::vector<any_action> actions;
  std::vector<bytes> payloads;  // of datagrams and echoes
  std::vector<sent_frame> seen;

 private:
  sent_frame last_;
};

}  // namespace netstack
