#include "sources/containerd/event_codec.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "base/plain_name.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "sources/containerd/message_fields.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {
namespace {

constexpr std::size_t longest_identifier = 76;

// The payloads are messages of containerd.events: TaskStart, TaskExit, TaskDelete, ContainerUpdate, ContainerDelete.
// The container's id is field 1. Another process in the container has its own id in a second field.
struct known_topic {
  std::string_view name;
  happening what;
  std::uint32_t process_field;  // 0: none
};
constexpr known_topic topics[] = {{"/tasks/start", happening::started, 0},
                                  {"/tasks/exit", happening::ended, 2},
                                  {"/tasks/delete", happening::removed, 5},
                                  {"/containers/update", happening::updated, 0},
                                  {"/containers/delete", happening::removed, 0}};

// Nothing for another process in the container.
base::result<std::optional<std::string_view>> find_container(std::string_view payload, std::uint32_t process_field) {
  std::string_view container, process;
  const auto visited = visit_fields(payload, [&](const message_field& f) {
    if (f.is_text && f.number == 1) container = f.text;
    if (f.is_text && f.number == process_field) process = f.text;
  });
  if (!visited) return std::unexpected(visited.error());
  if (!process.empty() && process != container) return std::nullopt;
  return container;
}

}  // namespace

bool is_identifier(std::string_view text) { return base::is_plain_name(text, longest_identifier); }

base::result<std::optional<engine_event>> parse_event(std::string_view name_space, std::string_view topic,
                                                      std::string_view payload) {
  constexpr std::size_t longest_payload = 16 << 20;
  if (payload.size() > longest_payload) return base::fail("event of more than 16 MiB");
  if (!is_identifier(name_space)) return base::fail("event with an invalid namespace " + base::printable(name_space));
  const auto* const known = std::ranges::find(topics, topic, &known_topic::name);
  if (known == std::end(topics)) return std::nullopt;
  const auto found = find_container(payload, known->process_field);
  if (!found) return base::fail("damaged event " + base::printable(topic));
  const auto& id = *found;
  if (!id) return std::nullopt;
  if (!is_identifier(*id)) return base::fail("event with an invalid container id " + base::printable(*id));
  return engine_event{known->what, std::string(name_space), std::string(*id)};
}

}  // namespace containerd
