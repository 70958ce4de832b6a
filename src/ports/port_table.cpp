#include "ports/port_table.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "ports/binding.hpp"
#include "ports/snapshot.hpp"
#include "ports/source_id.hpp"

namespace ports {
namespace {

void normalise(std::vector<binding>& bindings) {
  std::ranges::sort(bindings);
  bindings.erase(std::ranges::unique(bindings).begin(), bindings.end());
}

template <class F>
void for_each_missing(const std::vector<binding>& of, const std::vector<binding>& in, F&& call) {
  std::vector<binding> missing;
  std::ranges::set_difference(of, in, std::back_inserter(missing));
  for (auto& b : missing) call(b);
}

}  // namespace

void port_table::enable(source_id id) {
  const auto at = sources_.try_emplace(id).first;
  if (at->first.name() != id.name())
    throw std::logic_error(std::string(id.name()) + " has the rank of " + std::string(at->first.name()));
  at->second.enabled = true;
}

bool port_table::publish(source_id id, snapshot now) {
  auto& slice = sources_[id];
  normalise(now.bindings);
  const bool ports_changed = slice.last.bindings != now.bindings;
  const bool plan_changed = ports_changed || !slice.reported || slice.last.epoch != now.epoch;
  const bool changed = plan_changed || slice.trouble || slice.last != now;
  if (plan_changed) ++revision_;
  if (ports_changed) replace(id, slice.last.bindings, now.bindings);
  slice.reported = true;
  slice.trouble.reset();
  slice.last = std::move(now);
  return changed;
}

void port_table::degraded(source_id id, base::error why) { sources_[id].trouble = std::move(why); }

const source_state& port_table::source(source_id id) const {
  static const source_state silent;
  const auto at = sources_.find(id);
  return at == sources_.end() ? silent : at->second;
}

void port_table::replace(source_id id, const std::vector<binding>& before, const std::vector<binding>& after) {
  for_each_missing(before, after, [&](const binding& gone) {
    const auto at = ports_.find(host_key(gone));
    std::erase(at->second, claim{id, gone});
    if (at->second.empty()) ports_.erase(at);
  });
  for_each_missing(after, before, [&](const binding& added) {
    auto& claims = ports_[host_key(added)];
    claim made{id, added};
    claims.insert(std::ranges::upper_bound(claims, made), std::move(made));
  });
}

source_set port_table::settled() const {
  auto set = all_sources;
  for (const auto& [id, s] : sources_) set[id.rank()] = s.reported || !s.enabled;
  return set;
}

std::uint64_t port_table::epoch() const {
  std::uint64_t sum = 0;
  for (const auto& [id, s] : sources_) sum += s.last.epoch;
  return sum;
}

}  // namespace ports
