// container: one running container with the ports that it publishes, whatever engine runs it.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ports/snapshot.hpp"

namespace engine {

struct container {
  std::string id;    // stable and unique among all containers of its engine; the owner of its bindings
  std::string name;  // for people
  std::vector<ports::binding> bindings;
  std::vector<ports::refusal> refusals;
  bool operator==(const container&) const = default;

  // Notes something that is wrong with one port, without harm to the others. The first 16 are kept: enough to see what
  // is wrong.
  void refuse(std::string_view what, std::string_view why);
};

// What an engine answers to "which containers run".
struct container_list {
  std::vector<container> running;
  std::set<std::string> unknown{};  // ids of those of which it cannot tell at present: each is asked about
  std::set<std::string> stopped{};  // ids of those that it knows and that do not run, where it tells
};

}  // namespace engine
