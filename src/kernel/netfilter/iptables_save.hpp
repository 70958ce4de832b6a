// iptables_save: the text of iptables-save, `iptables -S` and iptables-restore, to rules and back. A rule is kept as
// the words of its line, so matches that this program does not understand are written back unchanged. Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace netfilter {

struct rule_spec {
  std::string chain;
  std::vector<std::string> words;  // after "-A CHAIN", unquoted

  auto operator<=>(const rule_spec&) const = default;
};

// The rule with its words sorted, to compare rules by: iptables prints some options in another order than they were
// written.
[[nodiscard]] rule_spec canonical(rule_spec r);

struct nat_table {
  std::vector<std::string> chains;  // built-in ones too, in the order of the text
  std::vector<rule_spec> rules;     // of one chain in its order
  // The kernel's handles of the rules (rule_place), in the same order; empty or 0 if unknown.
  std::vector<std::uint64_t> handles;

  [[nodiscard]] bool has_chain(std::string_view name) const;
  bool operator==(const nat_table&) const = default;
};

// Selects rules by chain and line; empty: all. Skipped rules cost almost nothing.
using rule_filter = std::function<bool(std::string_view chain, std::string_view line)>;

// The nat table in the output of `iptables-save`. Fails on a truncated table ("*nat" to "COMMIT"), an unknown line, an
// open quote, more than 200,000 rules, and more than 256 words in a rule.
[[nodiscard]] base::result<nat_table> parse_nat_table(std::string_view text, const rule_filter& wanted = {});

// The same for the output of `iptables -t nat -S` for some chains.
[[nodiscard]] base::result<nat_table> parse_rule_list(std::string_view text);

// Lines for iptables-restore: "-A DOCKER -p tcp …".
[[nodiscard]] std::string append_line(const rule_spec& r);
[[nodiscard]] std::string delete_line(const rule_spec& r);
[[nodiscard]] std::string list_line(std::string_view chain);  // iptables-restore prints the chain as -S does

// The input of `iptables-restore --noflush` that makes all these changes or none.
[[nodiscard]] std::string restore_input(const std::vector<std::string>& lines, std::string_view table = "nat");

}  // namespace netfilter
