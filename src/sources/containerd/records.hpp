// What containerd's API says, as far as it is needed here, as plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace containerd {

using labels = std::map<std::string, std::string, std::less<>>;

// A container as it is stored; whether it runs is its task's business. Ids are unique in their namespace only.
struct container_record {
  std::string id;
  containerd::labels labels;
};

// A paused task runs. containerd cannot tell the state of one whose shim does not answer it in time.
enum class task_state : std::uint8_t { runs, ended, unknown };

enum class happening : std::uint8_t { started, ended, updated, removed };  // removed: the task or the container

struct engine_event {
  happening what = happening::started;
  std::string name_space;
  std::string container_id;
  bool operator==(const engine_event&) const = default;
};

struct event_batch {
  std::vector<engine_event> events;
  bool lost = false;  // there were others, which could not be read
};

}  // namespace containerd
