#include "link/mac_table.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "net/mac_address.hpp"

namespace links {
namespace {

std::size_t hash(const net::mac_address& mac) {
  std::uint64_t bits = 0;
  for (const auto byte : mac.bytes) bits = bits << 8U | byte;
  return static_cast<std::size_t>(bits * 0x9e3779b97f4a7c15U >> 40U);
}

}  // namespace

std::size_t mac_table::slot_of(const net::mac_address& mac) const {
  auto at = hash(mac) % slot_count;
  while (slots_[at].used && slots_[at].held.mac != mac) at = (at + 1) % slot_count;
  return at;
}

bool mac_table::knows(const net::mac_address& mac, time_point now) const {
  const auto& known = slots_[slot_of(mac)];
  return known.used && now - known.held.seen <= lifetime;
}

bool mac_table::refresh(const net::mac_address& mac, link_id link, time_point now) {
  auto& known = slots_[slot_of(mac)];
  if (!known.used || known.held.link != link || now - known.held.seen > lifetime) return false;
  known.held.seen = now;
  return true;
}

void mac_table::learn(const net::mac_address& mac, link_id link, time_point now) {
  if (mac.is_group() || mac == net::mac_address{}) return;
  auto& known = slots_[slot_of(mac)];
  if (!known.used) return add(mac, link, now);
  if (known.held.link != link) ++counts_.moved;
  known.held.link = link;
  known.held.seen = now;
}

void mac_table::add(const net::mac_address& mac, link_id link, time_point now) {
  if (!make_room(link, now)) {
    ++counts_.refused;
    return;
  }
  slots_[slot_of(mac)] = {true, {mac, link, now}};
  ++size_;
}

// Makes room for a new station. A link at its bound loses its oldest; otherwise one that has aged out goes.
bool mac_table::make_room(link_id link, time_point now) {
  std::size_t of_link = 0, oldest = slot_count, aged = slot_count;
  for (std::size_t i = 0; i < slot_count; ++i) {
    const auto& s = slots_[i];
    if (!s.used) continue;
    if (now - s.held.seen > lifetime) aged = i;
    if (s.held.link != link) continue;
    ++of_link;
    if (oldest == slot_count || s.held.seen < slots_[oldest].held.seen) oldest = i;
  }
  if (of_link >= most_of_link) {
    ++counts_.replaced;
    erase(oldest);
  } else if (size_ >= most_stations && aged != slot_count) {
    erase(aged);
  }
  return size_ < most_stations;
}

std::optional<link_id> mac_table::find(const net::mac_address& mac, time_point now) {
  const auto& known = slots_[slot_of(mac)];
  if (known.used && now - known.held.seen <= lifetime) return known.held.link;
  ++counts_.unknown;
  return std::nullopt;
}

void mac_table::forget(link_id link) {
  const auto before = std::exchange(slots_, std::vector<slot>(slot_count));
  size_ = 0;
  for (const auto& s : before) {
    if (!s.used || s.held.link == link) continue;
    slots_[slot_of(s.held.mac)] = s;
    ++size_;
  }
}

// Moves later stations of the same run up, so that searches still find them.
void mac_table::erase(std::size_t at) {
  slots_[at].used = false;
  --size_;
  for (auto next = (at + 1) % slot_count; slots_[next].used; next = (next + 1) % slot_count) {
    const auto wanted = hash(slots_[next].held.mac) % slot_count;
    if ((next - wanted) % slot_count < (next - at) % slot_count) continue;
    slots_[at] = slots_[next];
    slots_[next].used = false;
    at = next;
  }
}

std::vector<mac_table::station> mac_table::stations(time_point now) const {
  std::vector<station> all;
  for (const auto& s : slots_)
    if (s.used && now - s.held.seen <= lifetime) all.push_back(s.held);
  return all;
}

}  // namespace links
