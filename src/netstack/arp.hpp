// ARP for IPv4 over Ethernet (RFC 826).
#pragma once

#include <cstdint>
#include <optional>

#include "net/mac_address.hpp"
#include "netstack/ipv4.hpp"

namespace netstack::arp {

inline constexpr std::size_t message_size = 28;

enum class operation : std::uint16_t { request = 1, reply = 2 };

struct message {
  operation what{};
  net::mac_address sender_mac;
  ipv4::address sender;
  net::mac_address target_mac;  // zero in a request
  ipv4::address target;

  // A host checks whether another host has an address (RFC 5227).
  [[nodiscard]] bool is_probe() const { return sender.value == 0; }
};

// nullopt for other hardware, protocols and operations.
[[nodiscard]] std::optional<message> parse(bytes_view payload);

// Writes to the first message_size bytes of `to`.
void write(bytes_span to, const message& m);

}  // namespace netstack::arp
