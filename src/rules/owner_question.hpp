// owner_question: whether it matters for the rules whose port it is. Pure.
#pragma once

#include "rules/conditions.hpp"
#include "rules/rule_set.hpp"

namespace rules {

// For a port whose owner is not known: whether some owner, or another source, would make another rule decide than the
// one that decides now. Looks at one rule, whatever the size of the set.
[[nodiscard]] bool owner_may_decide(const rule_set& set, const subject& s);

}  // namespace rules
