// rule_index: finds the few rules that may match a subject, so that thousands need not be examined for each.
//
// Theory of operation: each rule is filed under the keys (rule_keys.hpp) of one of its conditions. A subject that the
// rule matches has at least one of them. Of the rule's conditions the one is taken whose keys the fewest rules have.
// A range of ports is cut into aligned blocks of a power of two, 30 at most; a port lies in one block of each size.
//
// Limits: a rule without a condition that gives keys (a name like "[a-z]*" on all ports) is loose, and is examined for
// every subject (owner_memo.hpp). So is one whose rarest key more than half of all rules have, unless it is a port's. A
// file may have 500 of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "rules/conditions.hpp"
#include "rules/rule.hpp"
#include "rules/rule_keys.hpp"

namespace rules {

class rule_index {
 public:
  using list = std::span<const std::uint32_t>;  // numbers of rules, ascending

  explicit rule_index(std::span<const rule> all);

  // Calls `visit` with lists that together hold each rule that may match the subject, except for the loose ones.
  void visit_lists(const subject& s, const std::function<void(list)>& visit) const;
  [[nodiscard]] list loose() const { return loose_; }
  // With those that are filed by a label: a subject whose labels are not complete may match them without their key.
  [[nodiscard]] list loose_or_labelled() const { return loose_or_labelled_; }

 private:
  key_shapes shapes_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> lists_;
  std::vector<std::uint32_t> loose_, loose_or_labelled_;
};

}  // namespace rules
