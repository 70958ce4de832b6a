#include "ports/rule_names.hpp"

#include <array>
#include <string_view>

#include "ports/source_id.hpp"
#include "rules/rules_codec.hpp"

namespace ports {
namespace {

constexpr std::array<std::string_view, 3> peers{host_switch_name, privileged_service_name, wsl_proxy_name};

}  // namespace

rules::known_names rule_names() { return {.sources = registered_names, .peers = peers}; }

}  // namespace ports
