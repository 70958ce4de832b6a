#include "programs/host_switch/virtual_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "link/link_url.hpp"
#include "link/tap_values.hpp"
#include "net/address.hpp"
#include "net/cidr.hpp"
#include "net/mac_address.hpp"
#include "netstack/dns/zones.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/settings.hpp"
#include "program/go_flags.hpp"
#include "programs/host_switch/subnet.hpp"
#include "translator/client_source.hpp"
#include "translator/exposed_udp.hpp"

namespace host_switch {
namespace {

using links::least_mtu;
using links::most_mtu;
constexpr net::mac_address usual_vm{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};
constexpr std::uint32_t usual_number = 2, host_number = 254;

// Networks that container engines and the product assign inside a VM.
std::array<net::cidr, 5> engine_networks() {
  const auto network = [](std::uint8_t a, std::uint8_t b, std::uint8_t c, unsigned prefix_length) {
    return net::cidr(net::address::v4(a, b, c, 0), prefix_length);
  };
  return {network(172, 17, 0, 16), network(10, 42, 0, 16), network(10, 43, 0, 16), network(10, 4, 0, 24),
          network(192, 168, 143, 24)};
}

std::optional<std::pair<std::string_view, std::string_view>> split_at_equals(std::string_view text) {
  const auto at = text.find('=');
  if (at == std::string_view::npos) return std::nullopt;
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

std::optional<netstack::ipv4::address> parse_ip(std::string_view text) {
  const auto ip = net::address::parse(text);
  if (!ip || !ip->is_v4() || ip->is_unspecified()) return std::nullopt;
  return netstack::ipv4::from_net(*ip);
}

base::result<links::link_url> parse_listen(std::string_view text) { return links::link_url::parse(text); }

}  // namespace

base::result<nat_value> parse_nat(std::string_view text) {
  if (text == "off") return nat_value{.off = true, .entry = {}};
  const auto sides = split_at_equals(text);
  const auto inside = sides ? parse_ip(sides->first) : std::nullopt,
             host = sides ? parse_ip(sides->second) : std::nullopt;
  if (!inside || !host) return base::fail("not of the form IP=IP with IPv4 addresses, nor \"off\"");
  if (host->is_multicast() || host->is_broadcast()) return base::fail("the host's side is not the address of one host");
  if (inside->is_multicast() || inside->is_broadcast() || inside->is_loopback())
    return base::fail("the VM's side is not the address of one host, or the VM's own");
  return nat_value{.off = false, .entry = {*inside, *host}};
}

base::result<netstack::fixed_lease> parse_lease(std::string_view text) {
  const auto sides = split_at_equals(text);
  const auto mac = sides ? net::mac_address::parse(sides->first) : std::nullopt;
  const auto ip = sides ? parse_ip(sides->second) : std::nullopt;
  if (!mac || !ip || mac->is_group() || *mac == net::mac_address{})
    return base::fail("not of the form MAC=IP, as 5a:94:ef:e4:0c:ee=192.168.127.2");
  return netstack::fixed_lease{*mac, *ip};
}

base::result<translator::source_address> parse_source_address(std::string_view text) {
  if (text == "gateway") return translator::source_address::gateway;
  if (text == "client") return translator::source_address::client;
  return base::fail("neither \"gateway\" nor \"client\"");
}

base::result<std::uint16_t> parse_mtu(std::string_view text) {
  const auto mtu = base::parse_number<std::uint16_t>(text);
  if (!mtu || *mtu < least_mtu || *mtu > most_mtu)
    return base::fail(fmt::format("not a number from {} to {}", least_mtu, most_mtu));
  return *mtu;
}

base::result<net::cidr> parse_vm_network(std::string_view text) {
  const auto network = net::cidr::parse(text);
  if (!network || !network->network().is_v4()) return base::fail("not an IPv4 network like 172.17.0.0/16");
  return *network;
}

base::result<std::string> parse_dns_zone(std::string_view text) {
  netstack::dns::zones tried({}, {});
  if (auto added = tried.add(text); !added) return std::unexpected(added.error());
  return std::string(text);
}

void virtual_options::declare(program::flag_set& flags) {
  flags.add("listen", listen, parse_listen,
            "Where the VM's Ethernet frames come from, as a `URL`: vsock://CID, unix://PATH, qemu://PATH, "
            "unixgram://PATH, fd://N, handshake://PATH or firecracker://PATH. May be given several times. Default: "
            "vsock://3.");
  flags.add("mtu", mtu, parse_mtu, "1500", "The MTU of the virtual network in `bytes`, 576 to 65520.");
  flags.add("dns-zone", dns_zones, parse_dns_zone,
            "A further name of the DNS server, as `NAME=IP`; *.NAME=IP answers for all names below it. May be given "
            "several times.");
  flags.add(
      "dns-aaaa", dns_aaaa,
      "Also answer questions for IPv6 addresses of outside names. The virtual network is IPv4 only, so by default "
      "these have no records.");
  flags.add("dhcp-lease", leases, parse_lease,
            "A fixed lease, as `MAC=IP`. May be given several times. 5a:94:ef:e4:0c:ee has the subnet's second address "
            "unless a lease says otherwise.");
  flags.add("nat", nat, parse_nat,
            "An address by which the VM reaches one of the host's, as `IP=IP`. May be given several times, and then "
            "replaces the default, the subnet's .254=127.0.0.1. \"off\": none.");
  flags.add("source-address", source, parse_source_address, "gateway",
            "The `side` whose address connections to exposed ports come from in the VM: \"gateway\" or \"client\". "
            "IPv6 and loopback clients, and those whose address lies in a network of the VM, have the gateway's.");
  flags.add("vm-network", vm_networks, parse_vm_network,
            "A further network that the VM has for itself, as a `CIDR`, for -source-address client. May be given "
            "several times. Those that container engines use by default are known.");
  flags.add("pcap", pcap,
            "Record the frames of the virtual network to this regular `file`, for tcpdump and Wireshark. SIGUSR1 ends "
            "the recording; the next SIGUSR1 begins a new one, which replaces the file.");
}

namespace {

using addresses = std::set<netstack::ipv4::address>;

// Adds the addresses of the leases to `taken`.
base::result<> check_leases(const std::vector<netstack::fixed_lease>& leases, const subnet& network, addresses& taken) {
  std::set<net::mac_address> macs;
  for (const auto& one : leases) {
    const auto ip = netstack::ipv4::to_net(one.address);
    if (!network.contains(ip) || ip == network.gateway())
      return base::fail(fmt::format("-dhcp-lease: {} cannot be given out in {}", ip.to_string(), network.to_string()));
    if (one.mac == netstack::stack_settings{}.gateway_mac)
      return base::fail(fmt::format("-dhcp-lease: {} is the gateway's MAC address", one.mac.to_string()));
    if (!macs.insert(one.mac).second || !taken.insert(one.address).second)
      return base::fail(fmt::format("-dhcp-lease: {} or {} is given twice", one.mac.to_string(), ip.to_string()));
  }
  return {};
}

}  // namespace

base::result<> virtual_options::check(const subnet& network) const {
  addresses taken{netstack::ipv4::from_net(network.gateway())};
  if (auto good = check_leases(leases, network, taken); !good) return good;
  const bool off = std::ranges::any_of(nat, &nat_value::off);
  if (off && nat.size() > 1) return base::fail("-nat: \"off\" and addresses exclude each other");
  // Includes the defaults, which the flags replace.
  const auto made = plane(network).stack;
  for (const auto& one : made.leases) taken.insert(one.address);
  for (const auto& one : made.nat) {
    const auto inside = netstack::ipv4::to_net(one.inside);
    if (network.network().contains(inside) && !network.contains(inside))
      return base::fail(fmt::format("-nat: {} is no machine's address in {}", inside.to_string(), network.to_string()));
    if (!taken.insert(one.inside).second)
      return base::fail(fmt::format("-nat, -dhcp-lease: {} has two meanings, an alias and a lease or the gateway",
                                    inside.to_string()));
  }
  return {};
}

translator::plane_options virtual_options::plane(const subnet& network) const {
  translator::plane_options made;
  auto& stack = made.stack;
  stack.subnet = network.network();
  stack.mtu = mtu;
  stack.nat.clear();
  const auto first = netstack::ipv4::from_net(network.network().network());
  const netstack::ipv4::address usual{first.value + usual_number}, host{first.value + host_number};
  for (const auto& one : nat)
    if (!one.off) stack.nat.push_back(one.entry);
  if (nat.empty() && network.is_host_alias(netstack::ipv4::to_net(host)))
    stack.nat.push_back({host, netstack::ipv4::from_net(net::address::loopback_v4())});
  stack.udp_client_ports = translator::udp_ports;
  stack.leases = leases;
  const bool has_usual =
      std::ranges::any_of(leases, [&](const auto& one) { return one.mac == usual_vm || one.address == usual; });
  if (!has_usual) stack.leases.push_back({usual_vm, usual});
  made.sources = source;
  made.vm_networks = vm_networks;
  made.vm_networks.push_back(network.network());
  for (const auto& one : engine_networks()) made.vm_networks.push_back(one);
  return made;
}

}  // namespace host_switch
