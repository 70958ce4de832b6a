// container: one running container of any engine, with the ports that it publishes.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/shared_text.hpp"
#include "ports/owner_traits.hpp"
#include "ports/snapshot.hpp"

namespace engine {

struct container {
  base::shared_text id;    // stable and unique among all containers of its engine; the owner of its bindings
  base::shared_text name;  // for people
  std::vector<ports::binding> bindings;
  std::vector<ports::refusal> refusals;
  bool operator==(const container&) const = default;

  // Records that one port is not published. The first 16 are kept, which is enough to find the cause.
  void refuse(std::string_view what, std::string_view why);
  // What port rules may ask about the container: set for the bindings that it has. Labels that are not kept are
  // recorded as refused.
  void set_traits(ports::owner_traits traits);
};

// An engine's answer to a list.
struct container_list {
  std::vector<container> running;
  std::set<std::string> unknown{};  // ids of containers with an unknown state: each is asked about
  std::set<std::string> stopped{};  // ids of containers that do not run, if the engine lists them
};

}  // namespace engine
