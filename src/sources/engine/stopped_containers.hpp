// stopped_containers: the containers that an engine knows and that do not run, for the source that reads their rules:
// a rule that an engine left behind for a container that has ended publishes nothing. The engine's source writes it,
// the source of the rules reads it, both on the control thread; wiring owns it.
//
// While the engine is away the last word stands: without the engine nothing starts a container. Where the engine is
// there and has not answered for half a minute, any of them may run, and none is in the set.
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

  // By the engine's ids, "<namespace>/<id>": whether the container is stopped now.
  void update(const std::map<std::string, bool>& changes);
  // `cni_id`: as CNI's plugins and their rules name a container: "<namespace>-<id>". A container that is not known to
  // the engine is not among them.
  [[nodiscard]] bool contains(std::string_view cni_id) const { return cni_ids_.contains(cni_id); }
  [[nodiscard]] bool empty() const { return cni_ids_.empty(); }
  // Returns at the next change. Cancelled: throws operation_aborted.
  async::task<> changed() { return changed_.wait(); }

 private:
  std::set<std::string, std::less<>> cni_ids_;
  async::condition changed_;
};

}  // namespace engine
