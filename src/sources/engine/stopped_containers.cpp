#include "sources/engine/stopped_containers.hpp"

#include <map>
#include <string>
#include <utility>

namespace engine {

void stopped_containers::update(const std::map<std::string, bool>& changes) {
  bool changed = false;
  for (const auto& [id, stopped] : changes) {
    auto cni_id = id;
    if (const auto slash = cni_id.find('/'); slash != std::string::npos) cni_id[slash] = '-';
    changed = (stopped ? cni_ids_.insert(std::move(cni_id)).second : cni_ids_.erase(cni_id) > 0) || changed;
  }
  if (changed) changed_.notify_all();
}

}  // namespace engine
