// DHCP messages as a client makes them, and what an answer says, for tests.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "netstack/dhcp/message.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace netstack::dhcp {

inline net::mac_address mac(std::uint32_t number) {
  return {{0x02, 0, static_cast<std::uint8_t>(number >> 24U), static_cast<std::uint8_t>(number >> 16U),
           static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)}};
}

inline ipv4::address ip(std::string_view text) { return ipv4::from_net(net::address::parse(text).value()); }

inline bytes four(ipv4::address a) {
  bytes made(4);
  store_32(made, 0, a.value);
  return made;
}

struct client_message {
  message_type type = message_type::discover;
  net::mac_address hardware = mac(1);
  ipv4::address client_address{};
  ipv4::address relay{};
  std::optional<ipv4::address> requested{};
  std::optional<ipv4::address> server{};
  bool broadcast = false;
  std::vector<std::pair<std::uint8_t, bytes>> more{};  // options

  [[nodiscard]] bytes write() const {
    bytes made(240);
    made[0] = 1;
    made[1] = 1;
    made[2] = 6;
    store_32(made, 4, 0x1234'5678);
    store_16(made, 10, broadcast ? 0x8000 : 0);
    store_32(made, 12, client_address.value);
    store_32(made, 24, relay.value);
    std::ranges::copy(hardware.bytes, made.begin() + 28);
    store_32(made, 236, 0x63825363);
    const auto put = [&](std::uint8_t code, const bytes& body) {
      made.push_back(code);
      made.push_back(static_cast<std::uint8_t>(body.size()));
      made.insert(made.end(), body.begin(), body.end());
    };
    put(53, {static_cast<std::uint8_t>(type)});
    if (requested) put(50, four(*requested));
    if (server) put(54, four(*server));
    for (const auto& [code, body] : more) put(code, body);
    made.push_back(255);
    return made;
  }
};

// The content of an option of an answer; several with one code are joined.
inline std::optional<bytes> option_of(bytes_view message, std::uint8_t code) {
  std::optional<bytes> found;
  for (std::size_t at = 240; at < message.size() && message[at] != 255;) {
    if (message[at] == 0) {
      ++at;
      continue;
    }
    const std::size_t size = message[at + 1];
    if (message[at] == code) {
      if (!found) found.emplace();
      const auto body = message.subspan(at + 2, size);
      found->insert(found->end(), body.begin(), body.end());
    }
    at += 2 + size;
  }
  return found;
}

inline message_type type_of(bytes_view message) { return message_type{option_of(message, 53).value().at(0)}; }
inline ipv4::address your_address(bytes_view message) { return {load_32(message, 16)}; }

}  // namespace netstack::dhcp
