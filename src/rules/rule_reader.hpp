// rule_reader: makes a rule, or the actions of a label, of a map of the YAML tree. What is wrong becomes a problem.
#pragma once

#include <cstdint>
#include <span>

#include "rules/conditions.hpp"
#include "rules/problem.hpp"
#include "rules/rule.hpp"
#include "rules/rules_codec.hpp"
#include "rules/value_reader.hpp"
#include "rules/yaml_tree.hpp"

namespace rules {

class rule_reader {
 public:
  rule_reader(const known_names& known, problem_list& problems)
      : known_(known), problems_(problems), values_(problems) {}

  // Of a list's item. The result counts only if there is no problem.
  [[nodiscard]] rule read_rule(const yaml_node& map);
  // Only actions, for one port.
  [[nodiscard]] actions read_actions(const yaml_node& map, std::uint16_t port);

 private:
  struct key_of_rule;
  enum class allowed : std::uint8_t { all_keys, actions };
  static std::span<const key_of_rule> table();
  void read_keys(const yaml_node& map, allowed which, rule& into);
  void report_unknown(const yaml_key& key, allowed which);
  void check_ignore(const yaml_node& map, const actions& then);
  void check_host_port(const yaml_node& map, const rule& r);

  known_names known_;
  problem_list& problems_;
  value_reader values_;
};

}  // namespace rules
