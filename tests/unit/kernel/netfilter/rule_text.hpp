// A rule on one line: "tcp 127.0.0.1:8080 -> 10.4.0.7:80", followed by its jump, its comment and its unclear condition.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "kernel/netfilter/nat_rule.hpp"

namespace netfilter {

inline std::string to_text(const nat_rule& r) {
  auto text = fmt::format("{} {}:{}", r.protocol ? net::to_string(*r.protocol) : "any",
                          r.destination ? r.destination->to_string() : "*", r.port);
  if (r.target) text += " -> " + net::to_string(*r.target);
  if (!r.jump.empty()) text += " to " + r.jump;
  if (!r.comment.empty()) text += " \"" + r.comment + "\"";
  return r.unclear.empty() ? text : text + " ? " + r.unclear;
}

inline std::vector<std::string> to_text(const std::vector<nat_rule>& rules) {
  std::vector<std::string> lines;
  for (const auto& r : rules)
    if (r.target || r.jump.starts_with("CNI-DN-")) lines.push_back(to_text(r));
  return lines;
}

}  // namespace netfilter
