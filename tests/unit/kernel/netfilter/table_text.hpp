// Nat tables as text, and what iptables-restore makes of them.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/table_change.hpp"

namespace netfilter {

inline rule_spec parsed(std::string line) {
  line[1] = 'A';
  return parse_nat_table("*nat\n" + line + "\nCOMMIT\n").value().rules.at(0);
}

// What one line of iptables-restore makes of the table. Throws if the program would reject it.
inline void apply_line(nat_table& table, const std::string& line) {
  if (line.starts_with(':')) {
    const auto name = line.substr(1, line.find(' ') - 1);
    std::erase_if(table.rules, [&](const auto& r) { return r.chain == name; });
    if (!table.has_chain(name)) table.chains.push_back(name);
  } else if (line.starts_with("-F ")) {
    std::erase_if(table.rules, [&](const auto& r) { return r.chain == line.substr(3); });
  } else if (line.starts_with("-X ")) {
    const auto name = line.substr(3);
    const bool used =
        std::ranges::any_of(table.rules, [&](const auto& r) { return r.chain == name || jump_of(r) == name; });
    if (used || std::erase(table.chains, name) != 1) throw std::runtime_error("cannot " + line);
  } else if (line.starts_with("-A ")) {
    table.rules.push_back(parsed(line));
    if (!table.has_chain(table.rules.back().chain)) throw std::runtime_error("no chain for " + line);
  } else {
    const auto at = std::ranges::find(table.rules, parsed(line));
    if (at == table.rules.end()) throw std::runtime_error("no rule " + line);
    table.rules.erase(at);
  }
}

// What the lines make of the table. Throws if iptables-restore would reject them.
inline nat_table changed_by(nat_table table, const table_change& change) {
  for (const auto& line : change.lines) apply_line(table, line);
  return table;
}

inline std::vector<std::string> lines_of(const nat_table& table, std::string_view chain) {
  std::vector<std::string> lines;
  for (const auto& r : table.rules)
    if (r.chain == chain) lines.push_back(append_line(r));
  return lines;
}

}  // namespace netfilter
