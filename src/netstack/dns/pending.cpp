#include "netstack/dns/pending.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <utility>

#include "netstack/bytes.hpp"
#include "netstack/time_point.hpp"

namespace netstack::dns {

pending::pending(pending_limits limits, std::function<std::uint16_t()> random_id)
    : limits_(limits), random_id_(std::move(random_id)) {}

std::optional<pending::refusal> pending::refuses(const client& from, bytes_view bytes) const {
  std::size_t of_client = 0, of_connection = 0;
  for (const auto& s : slots_) {
    if (!s.used || s.what.from.address != from.address) continue;
    ++of_client;
    if (from.connection != 0 && s.what.from.connection == from.connection) ++of_connection;
    if (s.what.from == from && std::ranges::equal(s.what.bytes, bytes)) return refusal::repeated;
  }
  const bool full =
      used_ >= limits_.most || of_client >= limits_.most_of_client || of_connection >= limits_.most_of_connection;
  return full ? std::optional(refusal::full) : std::nullopt;
}

// Terminates: there are more ids than slots.
std::uint16_t pending::new_id() const {
  auto id = random_id_();
  while (std::ranges::any_of(slots_, [&](const slot& s) { return s.used && s.upstream_id == id; })) ++id;
  return id;
}

std::expected<pending::started, pending::refusal> pending::add(const client& from, bytes_view bytes, time_point now) {
  if (const auto why = refuses(from, bytes)) return std::unexpected(*why);
  const auto id = new_id();
  auto free = std::ranges::find(slots_, false, &slot::used);
  if (free == slots_.end()) free = slots_.insert(free, slot{});
  free->what.from = from;
  free->what.bytes.assign(bytes.begin(), bytes.end());
  free->deadline = now + limits_.wait;
  free->upstream_id = id;
  free->used = true;
  ++used_;
  const auto number = static_cast<std::uint32_t>(free - slots_.begin());
  return started{.token = {.slot = number, .generation = free->generation}, .upstream_id = id};
}

pending::question pending::release(slot& s) {
  s.used = false;
  ++s.generation;
  --used_;
  return std::exchange(s.what, {});
}

std::optional<pending::question> pending::take(token t) {
  if (t.slot >= slots_.size()) return std::nullopt;
  auto& s = slots_[t.slot];
  if (!s.used || s.generation != t.generation) return std::nullopt;
  return release(s);
}

std::optional<pending::question> pending::take_expired(time_point now) {
  const auto late = std::ranges::find_if(slots_, [&](const slot& s) { return s.used && now >= s.deadline; });
  if (late == slots_.end()) return std::nullopt;
  return release(*late);
}

time_point pending::wake_at() const {
  auto first = time_point::max();
  for (const auto& s : slots_)
    if (s.used) first = std::min(first, s.deadline);
  return first;
}

void pending::forget(std::uint64_t connection) {
  for (auto& s : slots_)
    if (s.used && s.what.from.connection == connection) release(s);
}

}  // namespace netstack::dns
