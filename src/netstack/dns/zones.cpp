#include "netstack/dns/zones.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/address.hpp"
#include "netstack/dns/name.hpp"
#include "netstack/ipv4.hpp"

namespace netstack::dns {
namespace {

// For the names in this file, which are valid.
name valid_name(std::string_view text) { return name::from_text(text).value_or(name()); }

}  // namespace

zones::zones(ipv4::address gateway, std::optional<ipv4::address> host) {
  for (const std::string apex : {"rancher-desktop.internal", "docker.internal"}) {
    auto& made = all_.emplace_back(zone{.apex = valid_name(apex), .entries = {}, .any_name = {}});
    made.entries.push_back({.owner = valid_name("gateway." + apex), .addresses = {gateway}});
    if (host) made.entries.push_back({.owner = valid_name("host." + apex), .addresses = {*host}});
  }
}

base::result<> zones::add(std::string_view flag) {
  const auto equals = flag.find('=');
  auto text = flag.substr(0, equals);
  const bool any_name = text.starts_with("*.");
  if (any_name) text.remove_prefix(2);
  const auto owner = name::from_text(text);
  const auto address = equals == std::string_view::npos ? std::nullopt : net::address::parse(flag.substr(equals + 1));
  if (!owner || owner->is_root() || !address || !address->is_v4())
    return base::fail("not a name and its IPv4 address like registry.docker.internal=192.168.127.2");
  if (any_name) {
    zone_at(*owner).any_name.push_back(ipv4::from_net(*address));
    return {};
  }
  const auto* known = zone_of(*owner);
  auto& entries = zone_at(known == nullptr ? *owner : name(known->apex)).entries;
  auto place = std::ranges::find(entries, *owner, &entry::owner);
  if (place == entries.end()) place = entries.insert(place, {.owner = *owner, .addresses = {}});
  place->addresses.push_back(ipv4::from_net(*address));
  return {};
}

zones::zone& zones::zone_at(const name& apex) {
  const auto known = std::ranges::find(all_, apex, &zone::apex);
  if (known != all_.end()) return *known;
  return all_.emplace_back(zone{.apex = apex, .entries = {}, .any_name = {}});
}

const zones::zone* zones::zone_of(const name& asked) const {
  const zone* inner = nullptr;
  for (const auto& z : all_)
    if (asked.is_within(z.apex) && (inner == nullptr || z.apex.size() > inner->apex.size())) inner = &z;
  return inner;
}

std::optional<zones::match> zones::find(const name& asked) const {
  const auto* z = zone_of(asked);
  if (z == nullptr) return std::nullopt;
  match m{.zone = &z->apex, .exists = asked == z->apex, .addresses = {}};
  for (const auto& e : z->entries) {
    if (e.owner == asked) m.addresses = e.addresses;
    if (e.owner.is_within(asked)) m.exists = true;
  }
  if (!m.exists && !z->any_name.empty()) {
    m.exists = true;
    m.addresses = z->any_name;
  }
  return m;
}

}  // namespace netstack::dns
