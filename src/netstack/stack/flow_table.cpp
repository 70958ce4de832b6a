#include "netstack/stack/flow_table.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace netstack {

std::size_t flow_table::home_of(const flow_key& key) const {
  const auto addresses = std::uint64_t{key.vm.address.value} << 32U | key.peer.address.value;
  const auto ports = std::uint64_t{key.vm.port} << 16U | key.peer.port;
  return hash_(addresses, ports) & (places_.size() - 1);
}

std::size_t flow_table::place_of(const flow_key& key) const {
  auto at = home_of(key);
  while (places_[at].index != none && places_[at].key != key) at = (at + 1) & (places_.size() - 1);
  return at;
}

std::optional<std::uint32_t> flow_table::find(const flow_key& key) const {
  const auto& place = places_[place_of(key)];
  return place.index == none ? std::nullopt : std::optional(place.index);
}

void flow_table::add(const flow_key& key, std::uint32_t index) {
  if ((size_ + 1) * 4 > places_.size() * 3) grow();
  places_[place_of(key)] = {key, index};
  ++size_;
}

void flow_table::remove(const flow_key& key) {
  auto hole = place_of(key);
  if (places_[hole].index == none) return;
  --size_;
  const auto mask = places_.size() - 1;
  for (auto at = (hole + 1) & mask; places_[at].index != none; at = (at + 1) & mask) {
    // The entry may move into the gap unless its home is after the gap.
    const auto from_home = (at - home_of(places_[at].key)) & mask;
    if (from_home < ((at - hole) & mask)) continue;
    places_[hole] = places_[at];
    hole = at;
  }
  places_[hole].index = none;
}

void flow_table::grow() {
  auto old = std::exchange(places_, std::vector<place>(places_.size() * 2));
  for (const auto& entry : old)
    if (entry.index != none) places_[place_of(entry.key)] = entry;
}

}  // namespace netstack
