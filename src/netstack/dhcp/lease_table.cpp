#include "netstack/dhcp/lease_table.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "net/cidr.hpp"
#include "net/mac_address.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/time_point.hpp"

namespace netstack::dhcp {
namespace {

constexpr std::uint32_t first_of_pool = 3;  // .3

}  // namespace

lease_table::lease_table(const net::cidr& subnet, std::vector<ipv4::address> reserved,
                         const std::vector<fixed_lease>& fixed)
    : first_{ipv4::from_net(subnet.network()).value + first_of_pool} {
  const auto last = ipv4::from_net(subnet.last());
  if (last > first_) pool_.resize(std::min<std::size_t>(last.value - first_.value, most_leases));
  for (const auto& one : fixed) {
    fixed_.push_back({.address = one.address, .mac = one.mac, .fixed = true, .expires = std::nullopt});
    reserved.push_back(one.address);
  }
  std::ranges::sort(fixed_, {}, &lease::address);
  for (const auto address : reserved)
    if (auto* s = at(address)) s->reserved = true;
}

lease_table::slot* lease_table::at(ipv4::address address) {
  const std::size_t number = address.value - first_.value;  // wraps to a large number for addresses below the pool
  return address < first_ || number >= pool_.size() ? nullptr : &pool_[number];
}

const lease_table::slot* lease_table::at(ipv4::address address) const {
  const std::size_t number = address.value - first_.value;
  return address < first_ || number >= pool_.size() ? nullptr : &pool_[number];
}

ipv4::address lease_table::address_of(const slot& s) const {
  return {first_.value + static_cast<std::uint32_t>(&s - pool_.data())};
}

const lease_table::slot* lease_table::of(const net::mac_address& mac, time_point now) const {
  const auto found =
      std::ranges::find_if(pool_, [&](const slot& s) { return s.mac == mac && !s.reserved && now < s.expires; });
  return found == pool_.end() ? nullptr : &*found;
}

std::optional<ipv4::address> lease_table::find(const net::mac_address& mac, time_point now) const {
  const auto fixed = std::ranges::find(fixed_, mac, &lease::mac);
  if (fixed != fixed_.end()) return fixed->address;
  const auto* s = of(mac, now);
  return s == nullptr ? std::nullopt : std::optional(address_of(*s));
}

lease_table::slot* lease_table::free_slot(time_point now) {
  const auto free = std::ranges::find_if(pool_, [&](const slot& s) { return s.is_free(now); });
  if (free != pool_.end()) return &*free;
  slot* oldest = nullptr;
  for (auto& s : pool_)
    if (!s.reserved && !s.acknowledged && (oldest == nullptr || s.expires < oldest->expires)) oldest = &s;
  return oldest;
}

std::optional<ipv4::address> lease_table::offer(const net::mac_address& mac, time_point now) {
  const auto known = find(mac, now);
  if (known) {
    auto* s = at(*known);
    if (s != nullptr && !s->reserved && !s->acknowledged) s->expires = now + offer_time;
    return known;
  }
  auto* s = free_slot(now);
  if (s == nullptr) return std::nullopt;
  *s = {.mac = mac, .expires = now + offer_time};
  return address_of(*s);
}

bool lease_table::take(const net::mac_address& mac, ipv4::address address, time_point now) {
  auto* s = at(address);
  if (s == nullptr || !s->is_free(now)) return false;
  *s = {.mac = mac, .expires = now + offer_time};
  return true;
}

bool lease_table::adopt(const net::mac_address& mac, ipv4::address address, time_point expires, time_point now) {
  const auto* const s = at(address);
  if (s == nullptr || !s->is_free(now) || find(mac, now) || !take(mac, address, now)) return false;
  acknowledge(mac, expires, now);
  return true;
}

void lease_table::withdraw_offer(const net::mac_address& mac) {
  for (auto& s : pool_)
    if (s.mac == mac && !s.acknowledged && !s.reserved) s = {};
}

void lease_table::acknowledge(const net::mac_address& mac, time_point expires, time_point now) {
  const auto fixed = std::ranges::find(fixed_, mac, &lease::mac);
  if (fixed != fixed_.end()) {
    fixed->expires = expires;
    return;
  }
  const auto held =
      std::ranges::find_if(pool_, [&](const slot& s) { return s.mac == mac && !s.reserved && now < s.expires; });
  if (held == pool_.end()) return;
  held->expires = expires;
  held->acknowledged = true;
}

bool lease_table::owns(const net::mac_address& mac, ipv4::address address, time_point now) const {
  for (const auto& one : fixed_)
    if (one.address == address) return one.mac == mac;
  const auto* s = at(address);
  return s != nullptr && s->acknowledged && s->mac == mac && now < s->expires;
}

std::vector<lease> lease_table::list(time_point now) const {
  auto all = fixed_;
  for (const auto& s : pool_)
    if (s.acknowledged && now < s.expires)
      all.push_back({.address = address_of(s), .mac = s.mac, .fixed = false, .expires = s.expires});
  return all;
}

}  // namespace netstack::dhcp
