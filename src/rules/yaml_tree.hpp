// yaml_tree: a YAML document as a tree in which each value knows its place. Only what a flat file of settings needs:
// anchors, aliases, tags, a second document and control characters are refused, and so is a key that stands twice in
// one map. Bounded in size, depth and count; total.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/problem.hpp"

namespace rules {

struct yaml_key {
  std::string text{};
  position at{};        // in bytes
  bool is_text = true;  // else there is a problem, and no text
};

struct yaml_node {
  enum class kind : std::uint8_t { null, scalar, list, map };
  kind what = kind::null;
  position at{};                   // in bytes
  std::string text{};              // of a scalar
  std::vector<yaml_key> keys{};    // of a map
  std::vector<yaml_node> items{};  // of a list; the values of a map, in the order of its keys

  // The value under this key of a map.
  [[nodiscard]] const yaml_node* find(std::string_view key) const;
};

struct yaml_limits {
  static constexpr std::size_t bytes = 1 << 20;
  static constexpr std::size_t depth = 8;
  static constexpr std::size_t nodes = 250'000;
  static constexpr std::size_t keys = 64;  // of one map
};

// Nullopt: the text is not a document that can be read further, and a problem says why. Other problems leave a tree.
// A text without a document gives a null.
[[nodiscard]] std::optional<yaml_node> parse_yaml(std::string_view text, problem_list& problems);

}  // namespace rules
