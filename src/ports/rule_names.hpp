// rule_names: the names that port rules may use for sources and peers.
#pragma once

#include <string_view>

#include "rules/rules_codec.hpp"

namespace ports {

// Peers as port rules and the status name them.
inline constexpr std::string_view host_switch_name = "host-switch", privileged_service_name = "privileged-service",
                                  wsl_proxy_name = "wsl-proxy";

[[nodiscard]] rules::known_names rule_names();

}  // namespace ports
