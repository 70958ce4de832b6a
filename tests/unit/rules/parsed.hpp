// What the tests of rules share: the names that their rules know, and sets made from text.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "rules/rules_codec.hpp"

namespace rules {

inline constexpr std::array<std::string_view, 3> known_sources{"docker", "containerd", "kubernetes"};
inline constexpr std::array<std::string_view, 3> known_peers{"host-switch", "wsl-proxy", "loopback"};
inline constexpr known_names known{known_sources, known_peers};

// A file that has to be right.
inline parsed_rules parse(std::string_view text) {
  auto parsed = parse_rules(text, known);
  if (parsed) return std::move(*parsed);
  for (const auto& p : parsed.error()) ADD_FAILURE() << to_string(p) << "\nin: " << text;
  return {std::make_shared<const rule_set>(), {}};
}

// The one rule of `{port: 80}`.
inline rule parse_one(std::string_view flow) {
  const auto parsed = parse("rules: [" + std::string(flow) + "]");
  const auto all = parsed.rules->rules();
  return all.size() == 1 ? all.front() : rule{};
}

inline net::address ip(std::string_view text) { return net::address::parse(text).value(); }

}  // namespace rules
