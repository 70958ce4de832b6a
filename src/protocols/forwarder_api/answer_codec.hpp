// answer_codec: the answers of the forwarder API, in both directions: written by host-switch word for word as
// gvisor-tap-vsock does, read by the agent. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "http/message.hpp"
#include "protocols/forwarder_api/forward.hpp"

namespace forwarder_api {

// The list of all forwards.
[[nodiscard]] http::response encode_all(const std::vector<forward>& forwards);
// Leaves out elements that are not forwards. The error: the body is not a list at all.
[[nodiscard]] base::result<std::vector<forward>> parse_all(std::string_view body);

// Texts of failed calls by which agents know what happened.
[[nodiscard]] std::string already_exposed(const forward& f);
inline constexpr std::string_view not_exposed = "proxy not found";

enum class verdict : std::uint8_t {
  done,
  exists,   // of expose: host-switch has a forward of that name already
  unknown,  // of unexpose: host-switch has no such forward
  busy,     // of expose: another program of the host has the port
  refused,  // anything else
};
// What the answer to a call of expose or unexpose says.
[[nodiscard]] verdict classify_expose(const http::response& answer);
[[nodiscard]] verdict classify_unexpose(const http::response& answer);

}  // namespace forwarder_api
