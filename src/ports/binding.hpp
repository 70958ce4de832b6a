// binding: one published port as its source reports it, and the key under which the host can hold it.
//
// A key is (protocol, host address, host port) after normalising (behaviour 3 and 6): loopback in any form is
// 127.0.0.1, a wildcard of either family is 0.0.0.0, and an address that cannot be the host's becomes 127.0.0.1: what
// was asked for is never widened.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.hpp"
#include "net/protocol.hpp"

namespace ports {

// In the order in which claims of one key are ranked: the first is the one whose owner the status shows.
enum class source_id : std::uint8_t { docker, containerd, kubernetes, iptables, listeners, fixed };
inline constexpr std::size_t source_count = 6;
[[nodiscard]] std::string_view to_string(source_id id);  // "docker" … "listeners", "static" for fixed
[[nodiscard]] std::optional<source_id> parse_source(std::string_view text);

// Who takes what arrives at a binding inside the VM.
enum class reach : std::uint8_t {
  direct,     // whoever the address says
  ipv6_only,  // the address is a wildcard, but IPv4 does not arrive: it is to be relayed to ::1
  nobody,     // for the moment: peers keep the port open, and inside the VM nothing is done for it
};

struct binding {
  net::protocol protocol = net::protocol::tcp;
  net::address host_address;         // as the engine has it inside the VM
  std::uint16_t host_port = 0;       // 1 to 65535
  std::uint16_t container_port = 0;  // 1 to 65535; the host port where there is no other
  std::string owner;                 // stable id: container id, Service UID, rule, socket
  std::string owner_name;            // for people: container name, namespace/service; may be empty
  reach served = reach::direct;

  auto operator<=>(const binding&) const = default;
};

struct port_key {
  net::protocol protocol = net::protocol::tcp;
  net::address address;
  std::uint16_t port = 0;

  auto operator<=>(const port_key&) const = default;
};
[[nodiscard]] std::string to_string(const port_key& key);  // "tcp 127.0.0.1:8080"

// The key as it stands in the VM: nothing normalised.
[[nodiscard]] inline port_key raw_key(const binding& b) { return {b.protocol, b.host_address, b.host_port}; }
// The key as the host would hold it.
[[nodiscard]] port_key host_key(const binding& b);
[[nodiscard]] net::address host_address_for(const net::address& asked);

}  // namespace ports
