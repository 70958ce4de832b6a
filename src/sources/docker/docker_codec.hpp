// docker_codec: answers and events of the Docker Engine API as values. Pure and total. An invalid port is refused
// alone, with the reason; its neighbours are published.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "json/json.hpp"
#include "sources/engine/container.hpp"

namespace docker {

// GET /containers/json: every element that has an id. Containers with unreadable ports are unknown.
[[nodiscard]] base::result<engine::container_list> parse_list(std::string_view body);
// GET /containers/<id>/json; nothing if the container does not run. Fails if the answer does not show whether it does.
[[nodiscard]] base::result<std::optional<engine::container>> parse_inspect(std::string_view body);

enum class action : std::uint8_t {
  changed,           // a container may run now, or have other ports or another name
  ended,             // it has ended
  stopped,           // it was stopped; it may run again already
  service_changed,   // a swarm service exists, perhaps with other ports
  service_ended,     // it was removed
  networks_changed,  // an overlay network was made or removed, e.g. by a node that joins or leaves a swarm
  other
};
struct event {
  action what = action::other;
  std::string id;  // of the container or the service
};
// The parameter `filters` of GET /events. Docker and podman name some events differently.
[[nodiscard]] std::string_view events_filter();
// One object of GET /events.
inline constexpr json::limits event_limits{.bytes = 1 << 20, .depth = 32};
[[nodiscard]] base::result<event> parse_event(std::string_view object);

// The version to use with an engine that offers `offered` ("1.41", from the header Api-Version): that one, or ours if
// the engine is newer. Nothing if the text is not a version.
[[nodiscard]] std::optional<std::string> choose_version(std::string_view offered);

// Whether a container's id can be part of a URL and of a rule's comment: 1 to 128 of [A-Za-z0-9_.-], without "..".
[[nodiscard]] bool is_id(std::string_view text);

}  // namespace docker
