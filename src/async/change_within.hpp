// change_within: waits for a change of something that the kernel may not announce, such as rules. It returns after a
// while in any case, for another look.
#pragma once

#include <optional>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"

namespace async {

// Until the watch reports a change, or the time is over; without a watch, until the time is over. `watch` outlives the
// task. Cancelled: throws operation_aborted.
template <class Watch>
task<> change_within(clock::duration limit, std::optional<Watch>& watch) {
  if (watch)
    static_cast<void>(co_await within(limit, watch->changed()));
  else
    co_await sleep_for(limit);
}

}  // namespace async
