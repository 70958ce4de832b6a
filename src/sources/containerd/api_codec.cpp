#include "sources/containerd/api_codec.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "sources/containerd/event_codec.hpp"
#include "sources/containerd/message_fields.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {
namespace {

bool is_text(const message_field& f, std::uint32_t number) { return f.is_text && f.number == number; }

// Calls parse(text) for each text of field 1, until one fails.
template <class Parse>
base::result<> visit_first(std::string_view message, Parse parse) {
  base::result<> parsed;
  auto visited = visit_fields(message, [&](const message_field& f) {
    if (parsed && is_text(f, 1)) parsed = parse(f.text);
  });
  return visited ? parsed : visited;
}

// An entry of a map; a part that is missing is empty.
base::result<> add_label(std::string_view entry, labels& into) {
  std::string_view key, value;
  auto visited = visit_fields(entry, [&](const message_field& f) {
    if (is_text(f, 1)) key = f.text;
    if (is_text(f, 2)) value = f.text;
  });
  if (visited) into.insert_or_assign(std::string(key), value);
  return visited;
}

base::result<> add_container(std::string_view message, container_record& into) {
  base::result<> labelled;
  auto visited = visit_fields(message, [&](const message_field& f) {
    if (is_text(f, 1)) into.id = f.text;
    if (is_text(f, 3)) into.image = f.text;
    if (labelled && is_text(f, 2)) labelled = add_label(f.text, into.labels);
  });
  return visited ? labelled : visited;
}

// containerd's numbers. UNKNOWN is 0.
task_state state_of(std::uint64_t status) {
  constexpr std::uint64_t created = 1, running = 2, stopped = 3, paused = 4, pausing = 5;
  switch (status) {
    case running:
    case paused:
    case pausing: return task_state::runs;
    case created:
    case stopped: return task_state::ended;
    default: return task_state::unknown;
  }
}

struct process {
  std::string_view container_id{}, id{};
  std::uint64_t status = 0;
};

base::result<> add_process(std::string_view message, process& into) {
  constexpr std::uint32_t status_number = 4;
  return visit_fields(message, [&](const message_field& f) {
    if (is_text(f, 1)) into.container_id = f.text;
    if (is_text(f, 2)) into.id = f.text;
    if (!f.is_text && f.number == status_number) into.status = f.value;
  });
}

}  // namespace

std::string make_filters(std::span<const std::string_view> filters) {
  std::string made;
  protozero::pbf_writer writer(made);
  for (const auto filter : filters) writer.add_string(1, filter.data(), filter.size());
  return made;
}

std::string make_id(std::string_view id) {
  std::string made;
  protozero::pbf_writer(made).add_string(1, id.data(), id.size());
  return made;
}

base::result<std::vector<std::string>> parse_namespaces(std::string_view response) {
  std::vector<std::string> names;
  auto parsed = visit_first(response, [&](std::string_view message) {
    std::string_view name;
    auto visited = visit_first(message, [&](std::string_view text) {
      name = text;
      return base::result<>{};
    });
    if (visited && is_identifier(name)) names.emplace_back(name);
    return visited;
  });
  if (!parsed) return std::unexpected(parsed.error());
  return names;
}

base::result<std::vector<container_record>> parse_containers(std::string_view response) {
  std::vector<container_record> records;
  auto parsed = visit_first(response, [&](std::string_view message) {
    container_record one;
    auto added = add_container(message, one);
    if (added && is_identifier(one.id)) records.push_back(std::move(one));
    return added;
  });
  if (!parsed) return std::unexpected(parsed.error());
  return records;
}

base::result<container_record> parse_container(std::string_view response) {
  container_record one;
  auto parsed = visit_first(response, [&](std::string_view message) { return add_container(message, one); });
  if (!parsed) return std::unexpected(parsed.error());
  return one;
}

base::result<std::string_view> take_fields(std::string_view& list, std::size_t enough) {
  try {
    protozero::pbf_reader reader(list.data(), list.size());
    std::size_t taken = 0;
    while (taken < enough && reader.next()) {
      reader.skip();
      taken = list.size() - reader.length();
    }
    const auto fields = list.substr(0, taken);
    list.remove_prefix(taken);
    return fields;
  } catch (const protozero::exception&) {
    return base::fail("a damaged message");
  }
}

// Up to containerd 1.7 at least, container_id is empty, and a task's id is its container's.
base::result<std::map<std::string, task_state>> parse_tasks(std::string_view response) {
  std::map<std::string, task_state> tasks;
  auto parsed = visit_first(response, [&](std::string_view message) {
    process one;
    auto added = add_process(message, one);
    const auto id = one.container_id.empty() ? one.id : one.container_id;
    if (added && !id.empty()) tasks.insert_or_assign(std::string(id), state_of(one.status));
    return added;
  });
  if (!parsed) return std::unexpected(parsed.error());
  return tasks;
}

base::result<task_state> parse_task(std::string_view response) {
  process one;
  auto parsed = visit_first(response, [&](std::string_view message) { return add_process(message, one); });
  if (!parsed) return std::unexpected(parsed.error());
  return state_of(one.status);
}

base::result<envelope> parse_envelope(std::string_view message) {
  constexpr std::uint32_t name_space = 2, topic = 3, event = 4, payload = 2;
  envelope made;
  std::string_view any;
  auto visited = visit_fields(message, [&](const message_field& f) {
    if (is_text(f, name_space)) made.name_space = f.text;
    if (is_text(f, topic)) made.topic = f.text;
    if (is_text(f, event)) any = f.text;
  });
  if (visited)
    visited = visit_fields(any, [&](const message_field& f) {
      if (is_text(f, payload)) made.payload = f.text;
    });
  if (!visited) return std::unexpected(visited.error());
  return made;
}

}  // namespace containerd
