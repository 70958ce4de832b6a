// port_rule: the rules that a soak writes into the agent's file, and what they mean, by docs/rules.md. Pure, and
// without the agent's own code: it judges what that did.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace soak {

// What the first rule that matches does with a port.
enum class rule_action : std::uint8_t { none, ignore, move, loopback, host_only, wsl_only };
inline constexpr unsigned rule_actions = 6;

inline constexpr std::uint16_t moved_by = 10'000;

struct port_rule {
  rule_action action = rule_action::none;
  std::uint16_t first = 1, last = 65'535;
  std::string name{};  // of the container; empty: any
  auto operator<=>(const port_rule&) const = default;
};

// The file, as a user would write it.
[[nodiscard]] std::string to_yaml(const std::vector<port_rule>& rules);
[[nodiscard]] std::string to_text(const std::vector<port_rule>& rules);  // one line

// `name`: of what publishes the port; empty: it has none.
[[nodiscard]] rule_action decide(const std::vector<port_rule>& rules, std::uint16_t port, std::string_view name);

}  // namespace soak
