// stopped_containers: the containers that an engine knows and that do not run. A rule that the engine left behind for
// such a container publishes nothing. The engine's source writes the set, the source of the rules reads it, both on the
// control thread; wiring owns it.
//
// While the engine is away the set stays: without the engine no container starts. If the engine exists and has not
// answered for half a minute, any container may run, and the set is empty.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "async/condition.hpp"

namespace engine {

class stopped_containers {
 public:
  explicit stopped_containers(const async::executor& where) : changed_(where) {}

  // The engine's ids, "<namespace>/<id>", with whether the container is stopped now.
  void update(const std::map<std::string, bool>& changes);
  // `cni_id`: the name of a container in CNI's rules, "<namespace>-<id>". False for a container that the engine does
  // not know.
  [[nodiscard]] bool contains(std::string_view cni_id) const { return cni_ids_.contains(cni_id); }
  [[nodiscard]] bool empty() const { return cni_ids_.empty(); }
  // Returns at the next change. Cancelled: throws operation_aborted.
  async::task<> changed() { return changed_.wait(); }

 private:
  std::set<std::string, std::less<>> cni_ids_;
  async::condition changed_;
};

}  // namespace engine
