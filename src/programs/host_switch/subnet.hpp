// subnet: the virtual network between the VM and the host, as given with -subnet.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/address.hpp"
#include "net/cidr.hpp"

namespace host_switch {

class subnet {
 public:
  // Parses an IPv4 network such as "192.168.127.0/24", of at most 30 bits. Refuses 0.0.0.0/8, and networks of loopback,
  // link-local or multicast addresses, which no machine can have.
  static base::result<subnet> parse(std::string_view text);

  // Its first address, which is the host's. Every subnet has one, because at least two bits remain.
  [[nodiscard]] net::address gateway() const { return network_.at(1).value_or(network_.network()); }
  // 192.168.127.254, by which the VM reaches the host's 127.0.0.1. A subnet of fewer than 256 addresses has none.
  [[nodiscard]] bool is_host_alias(const net::address& ip) const;
  // Whether a machine of the subnet can have the address: not its first one, and not its broadcast address.
  [[nodiscard]] bool contains(const net::address& ip) const;
  [[nodiscard]] const net::cidr& network() const { return network_; }
  [[nodiscard]] std::string to_string() const { return network_.to_string(); }

 private:
  explicit subnet(const net::cidr& network) : network_(network) {}

  net::cidr network_;
};

}  // namespace host_switch
