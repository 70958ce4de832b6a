// change_within: how a program follows what may have no watch, as a file where inotify is used up. It also looks
// again after a while.
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
