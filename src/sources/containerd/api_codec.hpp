// api_codec: the messages of containerd's API that are used here. Pure and total.
//
// Field numbers and types are containerd's own (github.com/containerd/containerd, api/services/). Fields that are not
// used here are skipped, and on the wire a message has no name.
//
//   namespaces.v1.Namespaces  List       {}                    {1: [{1: name}]}
//   containers.v1.Containers  List       {1: [filter]}         {1: [Container]}
//                             Get        {1: id}               {1: Container}
//   tasks.v1.Tasks            List       {}                    {1: [Process]}
//                             Get        {1: container_id}     {1: Process}
//   events.v1.Events          Subscribe  {1: [filter]}         stream of Event
//
//   Container = {1: id, 2: [{1: key, 2: label}]}
//   Process = {1: container_id, 2: id, 4: status}
//   Event = {2: namespace, 3: topic, 4: {1: type, 2: payload}}
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {

// The request of Containers.List and Events.Subscribe: what matches one of the filters.
[[nodiscard]] std::string make_filters(std::span<const std::string_view> filters);
// The request of both methods Get.
[[nodiscard]] std::string make_id(std::string_view id);

// Names and ids that containerd does not allow are left out.
[[nodiscard]] base::result<std::vector<std::string>> parse_namespaces(std::string_view response);
[[nodiscard]] base::result<std::vector<container_record>> parse_containers(std::string_view response);
[[nodiscard]] base::result<container_record> parse_container(std::string_view response);

// A list is a message whose parts are lists, too: takes whole fields from its front, `enough` bytes or a little more,
// at least one. Fails on damaged bytes.
[[nodiscard]] base::result<std::string_view> take_fields(std::string_view& list, std::size_t enough);

// By the container's id.
[[nodiscard]] base::result<std::map<std::string, task_state>> parse_tasks(std::string_view response);
[[nodiscard]] base::result<task_state> parse_task(std::string_view response);

// Parts of the message that they were parsed from.
struct envelope {
  std::string_view name_space, topic, payload;
};
[[nodiscard]] base::result<envelope> parse_envelope(std::string_view message);

}  // namespace containerd
