// The DHCP client of fake_vm, and a second VM on a link of its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "tests/unit/netstack/stack/fake_vm.hpp"

namespace netstack {

inline constexpr ipv4::address second_vm{0xc0a87f03};  // 192.168.127.3

// The types of messages (RFC 2132, 9.6).
inline constexpr int dhcp_discover = 1, dhcp_offer = 2, dhcp_request = 3, dhcp_ack = 5, dhcp_nak = 6;

inline bytes dhcp_message(int type, const net::mac_address& mac, std::optional<ipv4::address> wanted = {}) {
  bytes m(240);
  m[0] = 1, m[1] = 1, m[2] = 6;
  store_32(m, 4, 0x1234'5678);
  std::ranges::copy(mac.bytes, m.begin() + 28);
  store_32(m, 236, 0x6382'5363);
  m.insert(m.end(), {53, 1, static_cast<std::uint8_t>(type)});
  if (wanted) {
    m.insert(m.end(), {50, 4, 0, 0, 0, 0});
    store_32(m, m.size() - 4, wanted->value);
  }
  m.push_back(255);
  m.resize(std::max<std::size_t>(m.size(), 300));
  return m;
}

inline void send_dhcp(fake_vm& all, const bytes& message) {
  const auto before = std::exchange(all.destination_mac, net::mac_address::broadcast());
  all.put_udp({{}, 68}, {{0xffff'ffff}, 67}, message);
  all.destination_mac = before;
}
inline void ask_dhcp(fake_vm& all, int type, std::optional<ipv4::address> wanted = {}) {
  send_dhcp(all, dhcp_message(type, all.mac, wanted));
}

struct dhcp_answer {
  int type = 0;  // no answer
  ipv4::address given;
  bool operator==(const dhcp_answer&) const = default;
};
// The only frame since the last call, or none.
inline dhcp_answer take_dhcp_answer(fake_vm& all) {
  if (all.seen.empty()) return {};
  const auto frame = all.only_frame();
  const auto d = udp::parse(frame.packet());
  EXPECT_TRUE(d);
  return d ? dhcp_answer{.type = d->payload[242], .given = {load_32(d->payload, 16)}} : dhcp_answer{};
}

// From here on `all` is a second VM on link 1.
inline void become_second_vm(fake_vm& all) {
  all.link = 1;
  all.mac = other_mac;
  all.net.link_up(1, {}, all.now);
  all.pull();
  all.seen.clear();
}

}  // namespace netstack
