// cidr: a network of addresses, "192.168.127.0/24" or "fd00::/8".
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.hpp"

namespace net {

class cidr {
 public:
  // The network of `ip` whose addresses share `prefix_length` bits, of which an address has 32 or 128 at most.
  cidr(const address& ip, unsigned prefix_length);
  // Bits after the prefix may be set in the text: they are cleared.
  static std::optional<cidr> parse(std::string_view text);

  [[nodiscard]] const address& network() const { return network_; }  // its first address
  [[nodiscard]] unsigned prefix_length() const { return prefix_length_; }
  [[nodiscard]] address last() const;  // of an IPv4 network: its broadcast address
  // The address at this distance from the first one; nullopt: the network is smaller.
  [[nodiscard]] std::optional<address> at(std::uint32_t distance) const;
  [[nodiscard]] bool contains(const address& ip) const;  // never an address of the other family
  [[nodiscard]] std::string to_string() const;

  auto operator<=>(const cidr&) const = default;

 private:
  address network_;
  unsigned prefix_length_;
};

}  // namespace net
