// rule_set: the rules of one file in their order, of which the first that matches a port decides. Never changes: a new
// file makes a new set. May be used on several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/shared_text.hpp"
#include "rules/conditions.hpp"
#include "rules/owner_memo.hpp"
#include "rules/port_order.hpp"
#include "rules/rule.hpp"
#include "rules/rule_index.hpp"

namespace rules {

// A rule and the line of the file on which it begins, from 1; 0: it is in no file.
struct placed_rule {
  rules::rule rule;
  unsigned line = 0;
};

class rule_set {
 public:
  rule_set() : rule_set(std::vector<placed_rule>()) {}
  explicit rule_set(std::vector<placed_rule> placed);

  [[nodiscard]] std::span<const rule> rules() const { return rules_; }
  [[nodiscard]] unsigned line(std::size_t number) const { return lines_.at(number); }
  // For people: "rule 3 (line 12): why", counted from 1, with the note of the rule.
  [[nodiscard]] const base::shared_text& description(std::size_t number) const { return descriptions_.at(number); }

  // Those that no index finds (rule_index.hpp).
  [[nodiscard]] rule_index::list loose() const { return index_.loose(); }

  struct match {
    std::optional<std::size_t> number{};  // of the rule
    std::size_t examined = 0;             // rules whose conditions were looked at
  };
  // A memo serves one set, and answers for many loose rules and many ports of an owner.
  [[nodiscard]] match find_first(const subject& s, owner_memo* memo = nullptr) const;
  // The first one whose conditions on the port match, whatever its owner.
  [[nodiscard]] std::optional<std::size_t> find_first_for_port(const subject& s) const { return order_.find_first(s); }
  // A rule before `number` that certainly matches all that this one matches. `work` is how many comparisons
  // (conditions::cost_of_covers) may still be made for this; none are found when it is used up.
  [[nodiscard]] std::optional<std::size_t> find_covering(std::size_t number, std::size_t& work) const;

 private:
  std::vector<rule> rules_;
  std::vector<unsigned> lines_;
  std::vector<base::shared_text> descriptions_;
  rule_index index_;
  port_order order_;
};

}  // namespace rules
