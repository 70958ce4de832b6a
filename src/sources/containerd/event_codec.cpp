#include "sources/containerd/event_codec.hpp"

#include <events.pb.h>

#include <algorithm>
#include <cstddef>
#include <expected>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/plain_name.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {
namespace {

namespace api = services::events::v1;

constexpr std::size_t longest_identifier = 76;

struct subject {
  happening what = happening::started;
  std::string container_id;
};

// Nothing for another process in the container.
template <class Message>
std::optional<subject> subject_of(const Message& message, happening what) {
  if constexpr (requires { message.container_id(); }) {
    if constexpr (requires { message.id(); })
      if (!message.id().empty() && message.id() != message.container_id()) return std::nullopt;
    return subject{what, message.container_id()};
  } else {
    return subject{what, message.id()};
  }
}

using subject_result = base::result<std::optional<subject>>;

template <class Message>
subject_result parse_as(std::string_view payload, happening what) {
  Message message;
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return base::fail("damaged event");
  return subject_of(message, what);
}

struct topic {
  std::string_view name;
  happening what;
  subject_result (*parse)(std::string_view payload, happening what);
};
constexpr topic topics[] = {{"/tasks/start", happening::started, parse_as<api::TaskStart>},
                            {"/tasks/exit", happening::ended, parse_as<api::TaskExit>},
                            {"/tasks/delete", happening::removed, parse_as<api::TaskDelete>},
                            {"/containers/update", happening::updated, parse_as<api::ContainerUpdate>},
                            {"/containers/delete", happening::removed, parse_as<api::ContainerDelete>}};

// Nothing for other topics.
subject_result parse_subject(std::string_view name, std::string_view payload) {
  const auto* const known = std::ranges::find(topics, name, &topic::name);
  if (known == std::end(topics)) return std::nullopt;
  auto parsed = known->parse(payload, known->what);
  if (!parsed) return base::fail(parsed.error().message() + " " + base::printable(name));
  return parsed;
}

}  // namespace

bool is_identifier(std::string_view text) { return base::is_plain_name(text, longest_identifier); }

base::result<std::optional<engine_event>> parse_event(std::string_view name_space, std::string_view topic,
                                                      std::string_view payload) {
  constexpr std::size_t longest_payload = 16 << 20;
  if (payload.size() > longest_payload) return base::fail("event of more than 16 MiB");
  if (!is_identifier(name_space)) return base::fail("event with an invalid namespace " + base::printable(name_space));
  auto about = parse_subject(topic, payload);
  if (!about) return std::unexpected(about.error());
  auto& known = *about;
  if (!known) return std::nullopt;
  auto& [what, id] = *known;
  if (!is_identifier(id)) return base::fail("event with an invalid container id " + base::printable(id));
  return engine_event{what, std::string(name_space), std::move(id)};
}

}  // namespace containerd
