// subnet: the virtual network between the VM and the host, as -subnet has it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/address.hpp"

namespace host_switch {

class subnet {
 public:
  // IPv4, "192.168.127.0/24"; at most 30 bits.
  static base::result<subnet> parse(std::string_view text);

  // Its first address, which is the host's.
  [[nodiscard]] net::address gateway() const;
  // 192.168.127.254, which the VM's network has for the host's 127.0.0.1. A subnet of less than 256 addresses has none.
  [[nodiscard]] bool is_host_alias(const net::address& ip) const;
  // An address that a machine of the subnet can have: not its first and last one, which name the subnet and all of it.
  [[nodiscard]] bool contains(const net::address& ip) const;
  [[nodiscard]] std::string to_string() const;

 private:
  subnet(std::uint32_t network, unsigned bits) : network_(network), bits_(bits) {}
  [[nodiscard]] std::uint32_t host_mask() const { return 0xffff'ffffU >> bits_; }

  std::uint32_t network_;  // in the machine's byte order
  unsigned bits_;
};

}  // namespace host_switch
