// The parts of containerd's API that are needed here, as plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace containerd {

using labels = std::map<std::string, std::string, std::less<>>;

// A container as it is stored; its task shows whether it runs. Ids are unique within their namespace only.
struct container_record {
  std::string id;
  containerd::labels labels;
  std::string image{};  // its name; may be empty
};

// A paused task runs. The state is unknown if the task's shim does not answer containerd in time.
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
  bool lost = false;  // there were others, which were unreadable
};

}  // namespace containerd
