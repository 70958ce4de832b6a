// What the tests of a hostile VM share: a connection that has to go on whatever happens beside it, and the work that
// the stack does for the frames of an attack.
#pragma once

#include "tests/unit/netstack/stack/tcp_client.hpp"

namespace netstack {

// A connection that was there before must still pass bytes both ways, while no time passes.
inline void expect_alive(fake_vm& all, tcp_client& client, flow_id id) {
  all.actions.clear();
  all.seen.clear();
  client.data(text("still"));
  ASSERT_FALSE(all.actions.empty());
  EXPECT_EQ(take_all(all, id), text("still"));
  write(all, id, text("here"));
  all.turn();
  EXPECT_EQ(client.receive(), text("here"));
  client.ack();
  all.actions.clear();
  all.seen.clear();
}

// The right VM's connection, on its own link and with its own MAC.
class bystander {
 public:
  explicit bystander(fake_vm& all, std::uint16_t port = 39'999) : all_(all), client_{all, {vm, port}} {
    id_ = client_.connect();
  }

  void expect_unharmed() {
    const auto mac = std::exchange(all_.mac, vm_mac);
    const auto link = std::exchange(all_.link, 0);
    const auto destination = std::exchange(all_.destination_mac, gateway_mac);
    expect_alive(all_, client_, id_);
    all_.mac = mac;
    all_.link = link;
    all_.destination_mac = destination;
  }

  [[nodiscard]] tcp_client& client() { return client_; }
  [[nodiscard]] flow_id id() const { return id_; }

 private:
  fake_vm& all_;
  tcp_client client_;
  flow_id id_;
};

// What the stack has asked of its owner and sent to the VM since the last call.
struct work {
  std::size_t actions = 0, frames = 0;
};
inline work take_work(fake_vm& all) {
  const work done{.actions = all.actions.size(), .frames = all.seen.size()};
  all.actions.clear();
  all.payloads.clear();
  all.seen.clear();
  return done;
}

template <class Action>
std::size_t count_of(const std::vector<any_action>& actions) {
  return static_cast<std::size_t>(
      std::ranges::count_if(actions, [](const auto& a) { return std::holds_alternative<Action>(a); }));
}

inline bytes frame_of(const bytes& packet, const net::mac_address& from = vm_mac) {
  bytes frame(ethernet::header_size + packet.size());
  ethernet::write_header(frame, gateway_mac, from, ethernet::ethertype::ipv4);
  std::ranges::copy(packet, frame.begin() + ethernet::header_size);
  return frame;
}

inline bytes udp_packet(endpoint from, endpoint to, const bytes& payload) {
  return make_packet({.source = from.address, .destination = to.address, .protocol = ipv4::protocol::udp},
                     udp_datagram(from, to, payload));
}

// All frames in one batch, as one read of a link gives them.
inline void put_batch(fake_vm& all, const std::vector<bytes>& frames) {
  std::vector<frame_in> in;
  in.reserve(frames.size());
  for (const auto& frame : frames) in.push_back({.bytes = frame, .how = {}, .checksum_valid = false, .link = all.link});
  all.net.on_frames(in, all.now);
  all.turn();
}

}  // namespace netstack
