#include "netstack/stack/index_list.hpp"

#include <cstdint>
#include <optional>

namespace netstack {

void index_list::push_back(std::uint32_t owner) {
  if (contains(owner)) return;
  if (owner >= nodes_.size()) nodes_.resize(owner + 1);
  nodes_[owner] = {.before = last_, .behind = none, .in = true};
  (last_ == none ? first_ : nodes_[last_].behind) = owner;
  last_ = owner;
  ++size_;
}

void index_list::remove(std::uint32_t owner) {
  if (!contains(owner)) return;
  const auto [before, behind, in] = nodes_[owner];
  (before == none ? first_ : nodes_[before].behind) = behind;
  (behind == none ? last_ : nodes_[behind].before) = before;
  nodes_[owner].in = false;
  --size_;
}

std::optional<std::uint32_t> index_list::front() const { return size_ == 0 ? std::nullopt : std::optional(first_); }

}  // namespace netstack
