// table_scope: the part of a nat table that this program reads: PREROUTING, the chains in which engines publish ports,
// and its own rules wherever they are. kube-proxy's thousands of rules are outside. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace netfilter {

// PREROUTING jumps to `jump`. The DNAT rules are in the chain `rules`; a name that ends with "*" stands for every chain
// with that prefix.
struct publishing_chains {
  std::string jump;
  std::string rules;

  [[nodiscard]] bool has_prefix() const { return rules.ends_with('*'); }
  // Whether the chain holds DNAT rules of this engine.
  [[nodiscard]] bool contain(std::string_view chain) const;
};

struct table_scope {
  std::string tag;  // the name of this program's chain; the comments of its rules begin with "TAG:"
  std::vector<publishing_chains> engines;

  // Whether to parse a line of iptables-save; it is a rule of this chain.
  [[nodiscard]] bool contains(std::string_view chain, std::string_view line) const;
};

}  // namespace netfilter
