// request_codec: the calls of the forwarder API, in both directions: written by the agent, read by host-switch as Go's
// encoding/json reads them. Keys may be in any case, unknown keys are ignored, null is the same as absent, and
// whatever follows the first value is ignored. Pure.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "http/message.hpp"
#include "protocols/forwarder_api/forward.hpp"

namespace forwarder_api {

[[nodiscard]] http::request encode_expose(const forward& f);
[[nodiscard]] http::request encode_unexpose(const forward& f);  // without its remote

// The body of a call. Without a protocol it is "tcp". The error is what Go would say. An unexpose has no remote: a key
// of that name is unknown.
[[nodiscard]] base::result<forward> parse_expose(std::string_view body);
[[nodiscard]] base::result<forward> parse_unexpose(std::string_view body);

}  // namespace forwarder_api
