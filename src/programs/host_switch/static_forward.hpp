// static_forward: the forwards of -port-forward. If the port is busy at the start, it tries again until the port is
// free.
#pragma once

#include <string_view>

#include "async/task.hpp"
#include "base/result.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "protocols/forwarder_api/forward.hpp"

namespace host_switch {

// The value of one -port-forward: "127.0.0.1:2222=192.168.127.2:22".
[[nodiscard]] base::result<forwarder_api::forward> parse_static_forward(std::string_view text);

// Returns once the forward listens. `forwards` outlives it.
async::task<> keep_trying(forwarder* forwards, forwarder_api::forward wanted);

}  // namespace host_switch
