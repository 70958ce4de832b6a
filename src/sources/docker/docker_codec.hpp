// What the Docker Engine API says, as values. Pure and total: whatever the bytes are, there is an answer. What is wrong
// with one port is refused alone, with the reason, and not with its neighbours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "containers/container.hpp"

namespace docker {

// GET /containers/json: every element that has an id.
[[nodiscard]] base::result<std::vector<containers::container>> parse_list(std::string_view body);
// GET /containers/<id>/json; nothing where the container does not run.
[[nodiscard]] base::result<std::optional<containers::container>> parse_inspect(std::string_view body);

enum class action : std::uint8_t { start, end, other };
struct event {
  action what = action::other;
  std::string id;
};
// One object of GET /events.
[[nodiscard]] base::result<event> parse_event(std::string_view object);

// The version to speak with an engine that offers `offered` ("1.41", from the header Api-Version): that one, or ours
// where the engine is newer. Nothing where the text is no version.
[[nodiscard]] std::optional<std::string> choose_version(std::string_view offered);

// A container's id, which becomes part of a URL and of a rule's comment: 1 to 128 of [A-Za-z0-9_.-].
[[nodiscard]] bool is_id(std::string_view text);

}  // namespace docker
