// scripted_vm: a VM of a test: the far end of a link of the data plane. It makes frames, answers ARP for its address,
// and keeps the packets that come until the test asks for them. Each packet is checked as a kernel would check it.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "link/datagram_link.hpp"
#include "link/stream_link.hpp"
#include "netstack/arp.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/fragments.hpp"
#include "netstack/icmp.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/udp_datagram.hpp"
#include "tests/unit/netstack/packets.hpp"
#include "translator/translator.hpp"

namespace translator {

using namespace std::chrono_literals;
using netstack::bytes;
using netstack::bytes_view;
using netstack::counting;
using netstack::endpoint;
using netstack::gateway;
using netstack::text;
using netstack::vm;

inline constexpr net::mac_address vm_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};
inline constexpr net::mac_address gateway_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xdd}};
inline constexpr netstack::ipv4::address host_alias{0xc0a8'7ffe};  // 192.168.127.254, the host's 127.0.0.1
inline constexpr std::chrono::milliseconds patience{10'000};       // of a test, before it gives a packet up
inline constexpr std::chrono::milliseconds a_moment{50};           // in which nothing may come

class scripted_vm {
 public:
  using any_end = std::variant<links::stream_link, links::datagram_link>;
  explicit scripted_vm(any_end end, netstack::ipv4::address own = vm, net::mac_address mac = vm_mac)
      : end_(std::move(end)), own_(own), mac_(mac) {}

  // A packet from the link, whole: fragments are put together.
  struct arrived {
    bytes kept;                     // the payload
    netstack::ipv4::packet packet;  // its payload is in `kept`
  };
  struct datagram {
    endpoint from, to;
    bytes payload;
    bool dont_fragment = false;
  };
  struct icmp_message {
    netstack::ipv4::address from;
    arrived held;
    netstack::icmp::message what;  // in `held`
  };

  void put(bytes_view frame) {
    const std::array<bytes_view, 1> parts{frame};
    if (auto* stream = std::get_if<links::stream_link>(&end_))
      EXPECT_TRUE(stream->send({}, parts) && stream->flush());
    else
      EXPECT_TRUE(std::get<links::datagram_link>(end_).send(parts) && std::get<links::datagram_link>(end_).flush());
  }
  void put_packet(const bytes& packet, const net::mac_address& to = gateway_mac) {
    bytes frame(netstack::ethernet::header_size + packet.size());
    netstack::ethernet::write_header(frame, to, mac_, netstack::ethernet::ethertype::ipv4);
    std::ranges::copy(packet, frame.begin() + netstack::ethernet::header_size);
    put(frame);
  }
  void put_udp(std::uint16_t port, const endpoint& to, bytes_view payload, bool dont_fragment = false) {
    bytes whole(netstack::udp::header_size + payload.size());
    std::ranges::copy(payload, whole.begin() + netstack::udp::header_size);
    netstack::udp::write_header(whole, own_, to.address, port, to.port);
    put_whole(fields(to.address, netstack::ipv4::protocol::udp, dont_fragment), whole);
  }
  void put_icmp(netstack::ipv4::address to, const bytes& message, bool dont_fragment = false) {
    put_whole(fields(to, netstack::ipv4::protocol::icmp, dont_fragment), message);
  }
  void put_tcp(std::uint16_t port, const endpoint& to, netstack::tcp::segment s, bytes_view payload = {}) {
    s.source_port = port;
    s.destination_port = to.port;
    const auto own = netstack::tcp::size_of_header(s.options);
    bytes whole(own + payload.size());
    std::ranges::copy(payload, whole.begin() + static_cast<std::ptrdiff_t>(own));
    netstack::tcp::write_header(whole, own_, to.address, s);
    put_packet(netstack::make_packet(fields(to.address, netstack::ipv4::protocol::tcp, false), whole));
  }
  void put_arp(netstack::arp::operation what, netstack::ipv4::address target) {
    bytes frame(netstack::ethernet::header_size + netstack::arp::message_size);
    const auto to = what == netstack::arp::operation::reply ? gateway_mac : net::mac_address::broadcast();
    netstack::ethernet::write_header(frame, to, mac_, netstack::ethernet::ethertype::arp);
    netstack::arp::write(std::span(frame).subspan(netstack::ethernet::header_size),
                         {.what = what, .sender_mac = mac_, .sender = own_, .target_mac = {}, .target = target});
    put(frame);
  }
  void say_where() { put_arp(netstack::arp::operation::reply, gateway); }

  // The first packet that is wanted, out of those that have come. Nothing if none comes in time.
  std::optional<arrived> next(const std::function<bool(const netstack::ipv4::packet&)>& wanted,
                              std::chrono::milliseconds limit = patience) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
      const auto at = std::ranges::find_if(packets_, [&](const arrived& a) { return wanted(a.packet); });
      if (at != packets_.end()) {
        auto found = std::move(*at);
        packets_.erase(at);
        return found;
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0 || !receive(left)) return std::nullopt;
    }
  }
  std::optional<datagram> next_datagram(std::chrono::milliseconds limit = patience) {
    const auto got = next([](const auto& p) { return p.is(netstack::ipv4::protocol::udp); }, limit);
    if (!got) return std::nullopt;
    const auto d = netstack::udp::parse(got->packet);
    if (!d) return ADD_FAILURE() << "a datagram that no kernel takes", std::nullopt;
    return datagram{.from = {got->packet.source, d->source_port},
                    .to = {got->packet.destination, d->destination_port},
                    .payload = netstack::to_bytes(d->payload),
                    .dont_fragment = got->packet.dont_fragment};
  }
  std::optional<icmp_message> next_icmp(std::chrono::milliseconds limit = patience) {
    auto got = next([](const auto& p) { return p.is(netstack::ipv4::protocol::icmp); }, limit);
    if (!got) return std::nullopt;
    const auto m = netstack::icmp::parse(got->packet.payload);
    if (!m) return ADD_FAILURE() << "an ICMP message that no kernel takes", std::nullopt;
    return icmp_message{got->packet.source, std::move(*got), *m};
  }

  // Takes what has arrived at the link, and waits for it. False: the link has ended.
  bool receive(std::chrono::milliseconds limit) {
    pollfd ready{fd(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(limit.count())) == 0) return true;
    const auto count = std::visit([](auto& one) { return one.read(); }, end_);
    if (!count) return false;
    for (const auto& one : std::visit([](auto& link) { return link.frames(); }, end_)) take(one.frame);
    return static_cast<bool>(std::visit([](auto& one) { return one.flush(); }, end_));
  }
  [[nodiscard]] int fd() const {
    return std::visit([](const auto& one) { return one.fd(); }, end_);
  }
  [[nodiscard]] netstack::ipv4::address own() const { return own_; }
  [[nodiscard]] const net::mac_address& mac() const { return mac_; }
  // Frames that are neither ARP nor IPv4, and those of other VMs, as they came.
  std::deque<bytes> others;

 private:
  netstack::ipv4::header_fields fields(netstack::ipv4::address to, netstack::ipv4::protocol what, bool dont_fragment) {
    return {.source = own_, .destination = to, .protocol = what, .id = ++id_, .dont_fragment = dont_fragment};
  }
  void put_whole(const netstack::ipv4::header_fields& head, const bytes& payload) {
    for (const auto& packet : netstack::cut(head, payload, 1'500)) put_packet(packet);
  }
  void take(bytes_view frame) {
    const auto head = netstack::ethernet::parse(frame);
    ASSERT_TRUE(head);
    if (head->source != gateway_mac) return others.push_back(netstack::to_bytes(frame));
    if (head->is(netstack::ethernet::ethertype::arp)) {
      const auto m = netstack::arp::parse(head->payload);
      if (m && m->what == netstack::arp::operation::request && m->target == own_) say_where();
      return;
    }
    const auto packet = netstack::ipv4::parse(head->payload);
    ASSERT_TRUE(packet) << "a packet that no kernel takes";
    const auto whole = packet->is_fragment() ? fragments_.add(*packet, std::chrono::steady_clock::now()) : packet;
    if (!whole) return;
    auto& kept = packets_.emplace_back(netstack::to_bytes(whole->payload), *whole);
    kept.packet.payload = kept.kept;
    kept.packet.header = {};
  }

  any_end end_;
  netstack::ipv4::address own_;
  net::mac_address mac_;
  std::uint16_t id_ = 0;
  netstack::fragments fragments_{{.most_datagrams = 64, .most_bytes = std::size_t{16} << 20U}};
  std::deque<arrived> packets_;
};

}  // namespace translator
