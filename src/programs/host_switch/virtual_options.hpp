// virtual_options: the flags of the virtual network, and their values as text. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "link/link_url.hpp"
#include "net/cidr.hpp"
#include "net/mac_address.hpp"
#include "program/go_flags.hpp"
#include "programs/host_switch/subnet.hpp"
#include "translator/plane.hpp"

namespace host_switch {

// The value of one -nat: "192.168.127.254=127.0.0.1"; "off" removes all entries, including the default one.
struct nat_value {
  bool off = false;
  netstack::nat_entry entry;
};
[[nodiscard]] base::result<nat_value> parse_nat(std::string_view text);

// The value of one -dhcp-lease: "5a:94:ef:e4:0c:ee=192.168.127.2".
[[nodiscard]] base::result<netstack::fixed_lease> parse_lease(std::string_view text);

[[nodiscard]] base::result<translator::source_address> parse_source_address(std::string_view text);
[[nodiscard]] base::result<std::uint16_t> parse_mtu(std::string_view text);
[[nodiscard]] base::result<net::cidr> parse_vm_network(std::string_view text);
[[nodiscard]] base::result<std::string> parse_dns_zone(std::string_view text);

struct virtual_options {
  std::vector<links::link_url> listen;
  std::uint16_t mtu = 1500;
  std::vector<std::string> dns_zones;  // for netstack::dns::zones
  bool dns_aaaa = false;
  std::vector<netstack::fixed_lease> leases;
  std::vector<nat_value> nat;
  translator::source_address source = translator::source_address::gateway;
  std::vector<net::cidr> vm_networks;
  std::string pcap;

  void declare(program::flag_set& flags);
  // Each value is valid on its own; checks whether they agree with each other and with the subnet.
  [[nodiscard]] base::result<> check(const subnet& network) const;
  // The configuration of the data plane, but for the stack's secret; call check() first.
  [[nodiscard]] translator::plane_options plane(const subnet& network) const;
};

}  // namespace host_switch
