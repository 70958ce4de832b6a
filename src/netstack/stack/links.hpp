// links: the properties of the owner's links. Owned by the stack.
#pragma once

#include <algorithm>
#include <vector>

#include "netstack/stack/frame.hpp"

namespace netstack {

class links {
 public:
  void add(link_id id, const link_properties& p) {
    remove(id);
    all_.push_back({id, p});
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

 private:
  struct one {
    link_id id = 0;
    link_properties properties;
  };
  std::vector<one> all_;  // a few
};

}  // namespace netstack
