#include "netstack/dhcp/server.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "net/cidr.hpp"
#include "netstack/bytes.hpp"
#include "netstack/dhcp/lease_table.hpp"
#include "netstack/dhcp/message.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/time_point.hpp"

namespace netstack::dhcp {
namespace {

constexpr ipv4::address everyone{0xffff'ffff};

std::vector<ipv4::address> reserved(const settings& s) {
  std::vector<ipv4::address> all{s.gateway};
  all.insert(all.end(), s.hosts.begin(), s.hosts.end());
  return all;
}

ipv4::address mask_of(const net::cidr& subnet) {
  return {subnet.prefix_length() == 0 ? 0 : ~std::uint32_t{0} << (32 - subnet.prefix_length())};
}

ipv4::address address_at(const net::cidr& subnet, std::uint32_t number) {
  return {ipv4::from_net(subnet.network()).value + number};
}

bool is_of_server(message_type type) {
  return type == message_type::offer || type == message_type::ack || type == message_type::nak;
}

}  // namespace

settings::settings(const net::cidr& network) : subnet(network), gateway(address_at(network, 1)) {
  constexpr std::uint32_t number_of_vm = 2, number_of_host = 254;
  fixed.push_back({.mac = vm_mac, .address = address_at(network, number_of_vm)});
  const auto with_host = network.at(number_of_host);
  if (with_host && *with_host != network.last()) hosts.push_back(ipv4::from_net(*with_host));
}

base::result<> settings::add_fixed(const fixed_lease& one) {
  const auto address = ipv4::to_net(one.address);
  if (!subnet.contains(address) || address == subnet.network() || address == subnet.last())
    return base::fail(address.to_string() + " is no address for a machine of " + subnet.to_string());
  if (one.address == gateway || std::ranges::find(hosts, one.address) != hosts.end())
    return base::fail(address.to_string() + " is an address of host-switch");
  std::erase_if(fixed, [&](const fixed_lease& f) { return f.mac == one.mac || f.address == one.address; });
  fixed.push_back(one);
  return {};
}

server::server(const settings& s) : settings_(s), leases_(s.subnet, reserved(s), s.fixed) {}

std::optional<answer> server::on_message(bytes_view payload, const net::mac_address& source, time_point now) {
  const auto r = parse(payload);
  const auto drop = [](std::uint64_t& counter) {
    ++counter;
    return std::nullopt;
  };
  if (!r || r->hardware.is_group() || r->hardware == net::mac_address{}) return drop(counted_.malformed);
  if (r->relay.value != 0) return drop(counted_.relayed);
  if (r->hardware != source) return drop(counted_.spoofed);
  if (r->type == message_type::discover) return on_discover(*r, now);
  if (r->type == message_type::request) return on_request(*r, now);
  return drop(is_of_server(r->type) ? counted_.malformed : counted_.ignored);
}

std::optional<answer> server::on_discover(const request& r, time_point now) {
  const auto address = leases_.offer(r.hardware, now);
  if (!address) {
    ++counted_.exhausted;
    return std::nullopt;
  }
  ++counted_.offers;
  return give(r, message_type::offer, *address);
}

std::optional<answer> server::on_request(const request& r, time_point now) {
  if (r.server && *r.server != settings_.gateway) {
    leases_.withdraw_offer(r.hardware);
    ++counted_.ignored;
    return std::nullopt;
  }
  if (!r.requested && r.client_address.value == 0) {
    ++counted_.malformed;
    return std::nullopt;
  }
  const auto address = holds(r, now) ? leases_.find(r.hardware, now) : std::nullopt;
  if (!address) return refuse(r);
  const auto expires = now + settings_.lease_time;
  leases_.acknowledge(r.hardware, expires, now);
  ++counted_.acks;
  auto a = give(r, message_type::ack, *address);
  const bool fixed = std::ranges::find(settings_.fixed, r.hardware, &fixed_lease::mac) != settings_.fixed.end();
  a.leased = lease{.address = *address, .mac = r.hardware, .fixed = fixed, .expires = expires};
  return a;
}

std::optional<lease> server::adopt(const net::mac_address& mac, ipv4::address address, time_point now) {
  const auto expires = now + settings_.lease_time;
  if (now >= adopts_until_ || mac.is_group() || mac == net::mac_address{}) return std::nullopt;
  if (!leases_.adopt(mac, address, expires, now)) return std::nullopt;
  ++counted_.adopted;
  return lease{.address = address, .mac = mac, .fixed = false, .expires = expires};
}

// Whether each address in the request is the client's.
bool server::holds(const request& r, time_point now) {
  const auto wanted = r.requested.value_or(r.client_address);
  if (r.client_address.value != 0 && r.client_address != wanted) return false;
  const auto known = leases_.find(r.hardware, now);
  if (known) return *known == wanted;
  return !r.server && leases_.take(r.hardware, wanted, now);
}

// Always a broadcast: the client may have no usable address (RFC 2131, 4.1).
std::optional<answer> server::refuse(const request& r) {
  ++counted_.naks;
  write(payload_, r, message_type::nak, settings_.gateway, std::nullopt);
  return answer{.payload = payload_, .mac = net::mac_address::broadcast(), .address = everyone, .leased = std::nullopt};
}

// RFC 2131, 4.1: to ciaddr if the client has an address, otherwise as the broadcast flag says.
answer server::give(const request& r, message_type type, ipv4::address address) {
  write(payload_, r, type, settings_.gateway,
        configuration{.address = address,
                      .lease_time = settings_.lease_time,
                      .mask = mask_of(settings_.subnet),
                      .router = settings_.gateway,
                      .dns_server = settings_.gateway,
                      .mtu = settings_.mtu,
                      .search = search_.within(room_for_search(r, settings_.mtu))});
  answer a{.payload = payload_, .mac = r.hardware, .address = address, .leased = std::nullopt};
  if (r.client_address.value == 0 && r.broadcast) {
    a.mac = net::mac_address::broadcast();
    a.address = everyone;
  }
  return a;
}

}  // namespace netstack::dhcp
