#include "rules/decision.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/shared_text.hpp"
#include "rules/conditions.hpp"
#include "rules/owner_memo.hpp"
#include "rules/rule.hpp"
#include "rules/rule_set.hpp"

namespace rules {
namespace {

decision apply(const rule_set& set, std::optional<std::size_t> number, const subject& s) {
  if (!number) return {};
  const auto& chosen = set.rules()[*number];
  const auto& then = chosen.then;
  decision made{.ignore = then.ignore, .rule = number, .reason = set.description(*number)};
  if (!chosen.when.is_certain(s)) {
    made.ignore = true;
    made.reason = base::shared_text("its labels are too long to be matched by " + made.reason.str());
    return made;
  }
  if (then.ignore) return made;
  if (then.host_port) {
    const auto mapped = map_port(*then.host_port, chosen.when.ports.value_or(port_range{}), s.port);
    if (!mapped) {
      made.ignore = true;
      made.reason = base::shared_text(
          fmt::format("port {} would leave the range 1 to {} by {}", s.port, port_range::highest, made.reason.str()));
      return made;
    }
    made.host_port = *mapped;
  }
  made.host_address = then.host_address;
  made.peers = then.peers;
  return made;
}

}  // namespace

decision decide(const rule_set& set, const subject& s) { return apply(set, set.find_first(s).number, s); }

std::vector<decision> decide(const rule_set& set, std::span<const subject> subjects) {
  std::vector<decision> decided;
  decided.reserve(subjects.size());
  owner_memo memo;
  for (const auto& s : subjects) decided.push_back(apply(set, set.find_first(s, &memo).number, s));
  return decided;
}

}  // namespace rules
