#include "ports/claim_targets.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <vector>

#include "base/shared_text.hpp"
#include "net/address.hpp"
#include "ports/binding.hpp"
#include "ports/port_table.hpp"
#include "ports/serving.hpp"

namespace ports {
namespace {

bool has_one_address(const claim& c) { return answers_at_its_address(c.what.served); }

// An engine that publishes at `::` and not at 0.0.0.0 takes IPv6 alone. Of a socket the kernel says what it takes.
bool takes_ipv6_alone(const claim& c) {
  const bool by_engine = !is_socket(c.what.served) && c.what.host_address.is_v6();
  return c.what.host_address.is_unspecified() && (by_engine || c.what.served == serving::ipv6_listener);
}

port_key address_inside(const claim& c) {
  auto key = raw_key(c.what);
  if (takes_ipv6_alone(c)) key.address = net::address::loopback_v6();
  return key;
}

bool is_localhost(const net::address& a) {
  return a == net::address::loopback_v4() || a == net::address::loopback_v6();
}

// One container at two addresses is one target; so is a server that listens on localhost in both families.
bool same_target(const claim& a, const claim& b) {
  if (address_inside(a) == address_inside(b)) return true;
  if (a.source != b.source) return false;
  if (!is_socket(a.what.served)) return a.what.owner == b.what.owner;
  return is_localhost(address_inside(a).address) && is_localhost(address_inside(b).address);
}

}  // namespace

bool is_only_announced(const std::vector<claim>& claims) {
  return std::ranges::all_of(claims, [](const claim& c) { return c.what.served == serving::announced; });
}

bool has_listener(const std::vector<claim>& claims) {
  return std::ranges::any_of(claims, [](const claim& c) { return has_listener(c.what.served); });
}

std::optional<single_address> find_single_address(const std::vector<claim>& claims) {
  std::optional<single_address> found;
  for (const auto& c : claims) {
    if (!has_one_address(c)) continue;
    if (c.what.host_address.is_unspecified() && !takes_ipv6_alone(c)) return std::nullopt;
    if (!found) found = {&c, address_inside(c)};
  }
  return found;
}

const claim* find_service(const std::vector<claim>& claims) {
  const claim* found = nullptr;
  for (const auto& c : claims) {
    if (c.what.served == serving::announced) continue;
    if (c.what.served != serving::every_address) return nullptr;
    if (found == nullptr) found = &c;
  }
  return found;
}

std::vector<claim> take_other_addresses(std::vector<claim>& claims) {
  const auto served = find_single_address(claims);
  if (!served) return {};
  const claim winner = *served->by;
  const auto loses = [&](const claim& c) { return has_one_address(c) && !same_target(c, winner); };
  std::vector<claim> taken;
  std::ranges::copy_if(claims, std::back_inserter(taken), loses);
  std::erase_if(claims, loses);
  return taken;
}

port_key published_key(const std::vector<claim>& claims) {
  auto key = host_key(claims.front().what);
  for (const auto& c : claims)
    if (c.what.host_address.is_unspecified()) key.address = net::address::any_v4();
  return key;
}

std::uint16_t container_port(const claim& c) {
  return is_socket(c.what.served) ? std::uint16_t{0} : c.what.container_port;
}

base::shared_text owner(const claim& c) { return is_socket(c.what.served) ? base::shared_text{} : c.what.owner; }

}  // namespace ports
