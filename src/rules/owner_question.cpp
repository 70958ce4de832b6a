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
  const auto first = set.find_first_for_port(s);
  return first && asks_for_owner(set.rules()[*first].when);  // otherwise it decides, whatever its owner
}

}  // namespace rules
