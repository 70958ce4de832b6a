// tcp_client: a TCP end inside fake_vm, as the tests need it: numbers are kept, nothing is repeated.
#pragma once

#include "tests/unit/netstack/stack/fake_vm.hpp"

namespace netstack {

struct tcp_client {
  fake_vm& all;
  endpoint own{vm, 40'000};
  endpoint to{server, 80};
  tcp::sequence next{5'000};
  tcp::sequence expected{};
  std::uint16_t window = 0xffff;         // as it stands in the header
  std::optional<std::uint8_t> shift{7};  // of the windows, unless the SYN has no such option

  [[nodiscard]] tcp::options syn_options() const {
    tcp::options o;
    o.most_segment = 1'460;
    o.window_shift = shift;
    o.sack_permitted = true;
    return o;
  }

  void send(tcp::flags flags, const bytes& payload = {}) {
    tcp::segment s;
    s.flags = flags;
    s.number = next;
    s.acknowledged = expected;
    s.window = window;
    if (flags.syn) s.options = syn_options();
    all.put_tcp(own, to, s, payload);
    next += static_cast<std::uint32_t>(payload.size()) + (flags.syn ? 1U : 0U) + (flags.fin ? 1U : 0U);
  }
  void syn() { send({.syn = true}); }
  void ack() { send({.ack = true}); }
  void data(const bytes& payload) { send({.psh = true, .ack = true}, payload); }

  // The VM connects, and the host accepts.
  flow_id connect() {
    syn();
    std::optional<flow_id> found;
    for (const auto& a : std::exchange(all.actions, {}))
      if (const auto* c = std::get_if<action::connect>(&a)) found = c->flow;
    EXPECT_TRUE(found);
    const auto id = found.value_or(flow_id{});
    all.net.connected(id, all.now);
    all.turn();
    take_syn_ack();
    ack();
    all.actions.clear();
    all.seen.clear();
    return id;
  }
  void take_syn_ack() {
    const auto s = all.only_segment();
    EXPECT_TRUE(s.flags.syn);
    EXPECT_TRUE(s.flags.ack);
    EXPECT_EQ(s.acknowledged, next);
    expected = s.number + 1;
  }

  // The payload of the seen frames, in order; each is acknowledged.
  bytes receive() {
    bytes got;
    for (const auto& frame : std::exchange(all.seen, {})) {
      const auto packet = frame.packet();
      const auto s = *tcp::parse(packet, tcp::check::skip);
      if (s.destination_port != own.port || s.number != expected) continue;
      got.insert(got.end(), s.payload.begin(), s.payload.end());
      expected += s.length();
    }
    return got;
  }
};

// What the owner does when bytes have arrived: takes them all.
inline bytes take_all(fake_vm& all, flow_id id) {
  bytes got;
  for (const auto& slice : all.net.arrived(id)) got.insert(got.end(), slice.begin(), slice.end());
  all.net.consumed(id, got.size(), all.now);
  return got;
}

// The owner writes what there is room for.
inline std::size_t write(fake_vm& all, flow_id id, bytes_view from) {
  std::size_t written = 0;
  for (const auto& room : all.net.send_room(id)) {
    const auto size = std::min(room.size(), from.size() - written);
    std::ranges::copy(from.subspan(written, size), room.begin());
    written += size;
  }
  all.net.written(id, written, all.now);
  return written;
}

}  // namespace netstack
