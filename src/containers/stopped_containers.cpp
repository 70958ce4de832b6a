#include "containers/stopped_containers.hpp"

namespace containers {

void stopped_containers::set(const std::set<std::string>& ids) {
  decltype(cni_ids_) now;
  for (auto id : ids) {
    if (const auto slash = id.find('/'); slash != std::string::npos) id[slash] = '-';
    now.insert(std::move(id));
  }
  if (now == cni_ids_) return;
  cni_ids_ = std::move(now);
  changed_.notify_all();
}

}  // namespace containers
