#include "sources/containerd/event_codec.hpp"

#include <events.pb.h>
#include <algorithm>

#include "base/text.hpp"

namespace containerd {
namespace {

namespace api = services::events::v1;

constexpr std::size_t longest_identifier = 76;

template <class Message>
std::optional<Message> parse(std::string_view payload) {
  Message m;
  if (!m.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return std::nullopt;
  return m;
}

struct subject {
  happening what = happening::started;
  std::string container_id;
};

// Nothing for another process in the container.
std::optional<subject> of_container(const auto& message, happening what) {
  if (!message.id().empty() && message.id() != message.container_id()) return std::nullopt;
  return subject{what, message.container_id()};
}

// Nothing: of no interest.
base::result<std::optional<subject>> parse_subject(std::string_view topic, std::string_view payload) {
  const auto damaged = base::fail("damaged event " + base::printable(topic));
  if (topic == "/tasks/start") {
    const auto start = parse<api::TaskStart>(payload);
    if (!start) return damaged;
    return subject{happening::started, start->container_id()};
  }
  if (topic == "/containers/update") {
    const auto update = parse<api::ContainerUpdate>(payload);
    if (!update) return damaged;
    return subject{happening::updated, update->id()};
  }
  if (topic == "/containers/delete") {
    const auto removal = parse<api::ContainerDelete>(payload);
    if (!removal) return damaged;
    return subject{happening::removed, removal->id()};
  }
  if (topic == "/tasks/delete") {
    const auto removal = parse<api::TaskDelete>(payload);
    if (!removal) return damaged;
    return of_container(*removal, happening::removed);
  }
  if (topic != "/tasks/exit") return std::nullopt;
  const auto exit = parse<api::TaskExit>(payload);
  if (!exit) return damaged;
  return of_container(*exit, happening::ended);
}

}  // namespace

bool is_identifier(std::string_view text) {
  return !text.empty() && text.size() <= longest_identifier && std::ranges::all_of(text, base::is_name_character);
}

base::result<std::optional<engine_event>> parse_event(std::string_view name_space, std::string_view topic,
                                                      std::string_view payload) {
  constexpr std::size_t longest_payload = 16 << 20;
  if (payload.size() > longest_payload) return base::fail("an event of more than 16 MiB");
  if (!is_identifier(name_space)) return base::fail("an event of namespace " + base::printable(name_space));
  auto about = parse_subject(topic, payload);
  if (!about) return std::unexpected(about.error());
  if (!*about) return std::nullopt;
  auto& [what, id] = **about;
  if (!is_identifier(id)) return base::fail("an event of container " + base::printable(id));
  return engine_event{what, std::string(name_space), std::move(id)};
}

}  // namespace containerd
