// listen_key: what only one listener of a machine can have: a protocol, an address and a port. Ordered so that all
// listeners of one port are adjacent, whatever their addresses.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <tuple>

#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"

namespace net {

struct listen_key {
  net::protocol protocol = net::protocol::tcp;
  net::address address;
  std::uint16_t port = 0;

  [[nodiscard]] net::endpoint endpoint() const { return {address, port}; }

  bool operator==(const listen_key&) const = default;
  auto operator<=>(const listen_key& other) const {
    return std::tie(protocol, port, address) <=> std::tie(other.protocol, other.port, other.address);
  }
};

[[nodiscard]] inline std::string to_string(const listen_key& key) {  // "tcp 127.0.0.1:80"
  return std::string(to_string(key.protocol)) + " " + to_string(key.endpoint());
}

}  // namespace net
