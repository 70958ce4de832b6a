#include "sources/containerd/event_codec.hpp"

#include <events.pb.h>
#include <algorithm>

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

std::optional<subject> parse_subject(std::string_view topic, std::string_view payload) {
  if (topic == "/tasks/start") {
    const auto start = parse<api::TaskStart>(payload);
    return start ? std::optional(subject{happening::started, start->container_id()}) : std::nullopt;
  }
  if (topic == "/containers/update") {
    const auto update = parse<api::ContainerUpdate>(payload);
    return update ? std::optional(subject{happening::updated, update->id()}) : std::nullopt;
  }
  if (topic != "/tasks/exit") return std::nullopt;
  const auto exit = parse<api::TaskExit>(payload);
  const bool of_container = exit && (exit->id().empty() || exit->id() == exit->container_id());
  return of_container ? std::optional(subject{happening::ended, exit->container_id()}) : std::nullopt;
}

}  // namespace

bool is_identifier(std::string_view text) {
  const auto allowed = [](char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_' || ch == '.' ||
           ch == '-';
  };
  return !text.empty() && text.size() <= longest_identifier && std::ranges::all_of(text, allowed);
}

std::optional<engine_event> parse_event(std::string_view name_space, std::string_view topic, std::string_view payload) {
  constexpr std::size_t longest_payload = 16 << 20;
  if (payload.size() > longest_payload || !is_identifier(name_space)) return std::nullopt;
  auto about = parse_subject(topic, payload);
  if (!about || !is_identifier(about->container_id)) return std::nullopt;
  return engine_event{about->what, std::string(name_space), std::move(about->container_id)};
}

}  // namespace containerd
