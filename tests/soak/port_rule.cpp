#include "tests/soak/port_rule.hpp"

#include <fmt/format.h>

namespace soak {
namespace {

std::string action_in_yaml(rule_action action) {
  switch (action) {
    case rule_action::none: return "";
    case rule_action::ignore: return ", ignore: true";
    case rule_action::move: return fmt::format(", host-port: +{}", moved_by);
    case rule_action::loopback: return ", host-address: loopback";
    case rule_action::host_only: return ", peers: [host-switch]";
    case rule_action::wsl_only: return ", peers: [wsl-proxy]";
  }
  return "";
}

std::string rule_in_yaml(const port_rule& r) {
  return fmt::format("{{port: {}-{}{}{}}}", r.first, r.last, r.name.empty() ? "" : ", name: " + r.name,
                     action_in_yaml(r.action));
}

}  // namespace

std::string to_yaml(const std::vector<port_rule>& rules) {
  std::string text = "rules:\n";
  for (const auto& r : rules) text += "- " + rule_in_yaml(r) + "\n";
  return text;
}

std::string to_text(const std::vector<port_rule>& rules) {
  std::string text = "[";
  for (const auto& r : rules) text += (text.size() > 1 ? ", " : "") + rule_in_yaml(r);
  return text + "]";
}

rule_action decide(const std::vector<port_rule>& rules, std::uint16_t port, std::string_view name) {
  for (const auto& r : rules)
    if (port >= r.first && port <= r.last && (r.name.empty() || r.name == name)) return r.action;
  return rule_action::none;
}

}  // namespace soak
