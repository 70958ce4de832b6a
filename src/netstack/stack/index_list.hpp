// index_list: an ordered list of numbered owners, each at most once. Adding and removing take constant time and, once
// the largest number has been seen, no memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace netstack {

class index_list {
 public:
  // Does nothing if it is already in the list.
  void push_back(std::uint32_t owner);
  void remove(std::uint32_t owner);  // does nothing if it is not in the list
  [[nodiscard]] std::optional<std::uint32_t> front() const;
  [[nodiscard]] bool contains(std::uint32_t owner) const { return owner < nodes_.size() && nodes_[owner].in; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::uint32_t none = 0xffff'ffff;
  struct node {
    std::uint32_t before = none, behind = none;
    bool in = false;
  };

  std::vector<node> nodes_;
  std::uint32_t first_ = none, last_ = none;
  std::size_t size_ = 0;
};

}  // namespace netstack
