// action_queue: actions in the order in which the owner takes them, and copies of the bytes that they refer to. Owned
// by the stack.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "netstack/stack/action.hpp"

namespace netstack {

class action_queue {
 public:
  void add(const any_action& a) { actions_.push_back(a); }

  [[nodiscard]] std::optional<any_action> take() {
    if (next_ < actions_.size()) return actions_[next_++];
    actions_.clear();
    next_ = 0;
    return std::nullopt;
  }

  // A view of a copy that stays valid until release().
  [[nodiscard]] bytes_view keep(bytes_view bytes) { return kept_.emplace_back(bytes.begin(), bytes.end()); }
  // The batch has ended: no action refers to copies any more.
  void release() { kept_.clear(); }

 private:
  std::vector<any_action> actions_;
  std::size_t next_ = 0;
  std::vector<std::vector<std::uint8_t>> kept_;
};

}  // namespace netstack
