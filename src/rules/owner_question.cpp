#include "rules/owner_question.hpp"

#include "rules/conditions.hpp"
#include "rules/rule_set.hpp"

namespace rules {
namespace {

bool asks_for_owner(const conditions& c) {
  return !c.sources.empty() || !c.names.empty() || !c.labels.empty() || !c.namespaces.empty() || !c.images.empty();
}

}  // namespace

bool owner_may_decide(const rule_set& set, const subject& s) {
  for (const auto& rule : set.rules()) {
    if (!rule.when.matches_port(s)) continue;
    return asks_for_owner(rule.when);  // otherwise this one decides, whosoever it is
  }
  return false;
}

}  // namespace rules
