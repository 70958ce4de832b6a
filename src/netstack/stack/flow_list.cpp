#include "netstack/stack/flow_list.hpp"

#include <cstdint>

#include "netstack/stack/flow_table.hpp"

namespace netstack {

std::uint32_t flow_list::add(const flow_key& key) {
  std::uint32_t index = 0;
  if (free_.empty()) {
    index = static_cast<std::uint32_t>(flows_.size());
    flows_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  auto& f = flows_[index];
  const auto generation = f.generation + 1 == 0 ? 1 : f.generation + 1;
  f = flow{};
  f.generation = generation;
  f.key = key;
  f.owned = true;
  table_.add(key, index);
  return index;
}

void flow_list::remove(std::uint32_t index) {
  auto& f = flows_[index];
  table_.remove(f.key);
  f.machine.reset();
  f.owned = false;
  free_.push_back(index);
}

}  // namespace netstack
