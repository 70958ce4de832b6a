// retry_state: the failures of one key at one peer, and when it is tried again. A slot owns it. Pure: time and
// randomness are arguments.
//
// The delay grows with each failure in a row. The pace depends on what failed:
//   refused     the peer rejects the forward, whatever the time
//   in the way  the peer holds a forward of another program under the key
//   otherwise   the key's own pace
// A lost connection is no fault of the forward: after the first one the key is tried again at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/backoff.hpp"
#include "ports/sink.hpp"

namespace ports {

using time_point = std::chrono::steady_clock::time_point;

struct retry_paces {
  base::backoff key{std::chrono::milliseconds(100), std::chrono::milliseconds(1500), 0.2};
  base::backoff refused{std::chrono::seconds(5), std::chrono::seconds(60), 0.2};
  base::backoff in_the_way{std::chrono::seconds(1), std::chrono::seconds(15), 0.2};
};

struct retry_state {
  std::shared_ptr<const outcome> trouble;  // the last failure; null when all is well, as for most of very many keys
  time_point not_before{};
  unsigned failures = 0;    // in a row
  bool in_the_way = false;  // the last list shows a forward of another program under the key

  void fail(const outcome& why, const retry_paces& paces, time_point now, std::uint32_t random);
  // Keeps the time of the next attempt.
  void forgive();
  // When an attempt that could be made now is made: a key that has failed keeps its delay.
  [[nodiscard]] time_point next_attempt(time_point now) const;
};

// The answer was lost, or the request was not sent.
[[nodiscard]] constexpr bool is_lost(outcome_kind kind) {
  return kind == outcome_kind::unknown || kind == outcome_kind::unsent;
}

}  // namespace ports
