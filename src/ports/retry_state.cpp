#include "ports/retry_state.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/backoff.hpp"
#include "ports/sink.hpp"

namespace ports {
namespace {

const base::backoff& pace_of(const retry_paces& paces, outcome_kind kind, bool in_the_way) {
  if (kind == outcome_kind::refused) return paces.refused;
  return in_the_way ? paces.in_the_way : paces.key;
}

}  // namespace

void retry_state::fail(const outcome& why, const retry_paces& paces, time_point now, std::uint32_t random) {
  ++failures;
  trouble = std::make_shared<const outcome>(why);
  not_before = now + pace_of(paces, why.kind, in_the_way).delay(is_lost(why.kind) ? failures - 1 : failures, random);
}

void retry_state::forgive() {
  failures = 0;
  trouble.reset();
}

time_point retry_state::next_attempt(time_point now) const { return failures > 0 ? std::max(not_before, now) : now; }

}  // namespace ports
