#include "ports/owner_gate.hpp"

#include <algorithm>
#include <utility>

#include "ports/binding.hpp"
#include "ports/exposure_policy.hpp"
#include "ports/port_table.hpp"
#include "ports/retry_state.hpp"

namespace ports {
namespace {

bool knows_all_owners(const port_table& table) {
  return std::ranges::none_of(table.sources(), [](const auto& item) {
    const auto& [id, source] = item;
    return id.knows_owners() && source.enabled && (!source.reported || source.trouble || !source.last.doubt.empty());
  });
}

}  // namespace

void owner_gate::hold_back(exposure_plan& plan, const port_table& table, time_point now) {
  const auto before = std::exchange(waiting_, {});
  const bool known = knows_all_owners(table);
  for (auto& port : plan.ports) {
    if (!port.owner_matters) continue;
    const auto key = raw_key(port.claims.front().what);
    const auto seen = before.find(key);
    const auto since = seen == before.end() ? now : seen->second;
    waiting_.emplace(key, since);
    port.not_before = std::max(port.not_before, known ? since + patience_ : time_point::max());
  }
}

}  // namespace ports
