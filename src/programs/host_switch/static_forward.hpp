// static_forward: the forwards of -port-forward. If the port is busy at the start, it tries again until the port is
// free.
#pragma once

#include <string_view>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "netstack/stack/settings.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "programs/host_switch/subnet.hpp"
#include "protocols/forwarder_api/forward.hpp"

namespace host_switch {

// The value of one -port-forward: "127.0.0.1:2222=192.168.127.2:22".
[[nodiscard]] base::result<forwarder_api::forward> parse_static_forward(std::string_view text);

// Whether each listens at another Host:Port.
[[nodiscard]] base::result<> check_listeners(const std::vector<forwarder_api::forward>& all);
// Whether each leads to a machine of the virtual network: not to the gateway, nor to an address of the host in it.
[[nodiscard]] base::result<> check_targets(const std::vector<forwarder_api::forward>& all, const subnet& network,
                                           const std::vector<netstack::nat_entry>& aliases);

// Returns once the forward listens. `forwards` outlives it.
async::task<> keep_trying(forwarder* forwards, forwarder_api::forward wanted);

}  // namespace host_switch
