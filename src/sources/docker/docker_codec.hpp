// What the Docker Engine API says, as values. Pure and total: whatever the bytes are, there is an answer. What is wrong
// with one port is refused alone, with the reason, and not with its neighbours.
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

// GET /containers/json: every element that has an id. Those whose ports cannot be read are unknown.
[[nodiscard]] base::result<engine::container_list> parse_list(std::string_view body);
// GET /containers/<id>/json; nothing where the container does not run. Fails where the answer does not say.
[[nodiscard]] base::result<std::optional<engine::container>> parse_inspect(std::string_view body);

enum class action : std::uint8_t {
  changed,           // a container may run now, or with other ports or another name
  ended,             // it does not run
  stopped,           // it was stopped; it may run again already
  service_changed,   // of a swarm: it is there, perhaps with other ports
  service_ended,     // it is gone
  networks_changed,  // an overlay network was made or removed, as by a node that joins or leaves a swarm
  other
};
struct event {
  action what = action::other;
  std::string id;  // of the container or the service
};
// What to subscribe to, as the parameter `filters` of GET /events. Docker and podman name some events differently.
[[nodiscard]] std::string_view events_filter();
// One object of GET /events.
inline constexpr json::limits event_limits{.bytes = 1 << 20, .depth = 32};
[[nodiscard]] base::result<event> parse_event(std::string_view object);

// The version to speak with an engine that offers `offered` ("1.41", from the header Api-Version): that one, or ours
// where the engine is newer. Nothing where the text is no version.
[[nodiscard]] std::optional<std::string> choose_version(std::string_view offered);

// A container's id, which becomes part of a URL and of a rule's comment: 1 to 128 of [A-Za-z0-9_.-].
[[nodiscard]] bool is_id(std::string_view text);

}  // namespace docker
