// links: the properties of the owner's links. Owned by the stack.
#pragma once

#include <algorithm>
#include <vector>

#include "netstack/stack/frame.hpp"

namespace netstack {

class links {
 public:
  // Again: only its properties change.
  void add(link_id id, const link_properties& p) {
    const bool blocked = is_blocked(id);
    remove(id);
    all_.push_back({id, p, blocked});
  }
  void remove(link_id id) {
    std::erase_if(all_, [&](const one& o) { return o.id == id; });
  }
  // For every_link and an unknown link: those of a plain link, except that every_link with one link means that one.
  [[nodiscard]] link_properties find(link_id id) const {
    const auto found = std::ranges::find(all_, id, &one::id);
    if (found != all_.end()) return found->properties;
    return id == every_link && all_.size() == 1 ? all_.front().properties : link_properties{};
  }

  void set_blocked(link_id id, bool blocked) {
    const auto found = std::ranges::find(all_, id, &one::id);
    if (found != all_.end()) found->blocked = blocked;
  }
  [[nodiscard]] bool is_blocked(link_id id) const {
    const auto found = std::ranges::find(all_, id, &one::id);
    return found != all_.end() && found->blocked;
  }
  [[nodiscard]] bool any_blocked() const { return std::ranges::any_of(all_, &one::blocked); }

 private:
  struct one {
    link_id id = 0;
    link_properties properties;
    bool blocked = false;  // takes no frames now
  };
  std::vector<one> all_;  // a few
};

}  // namespace netstack
