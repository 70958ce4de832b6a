// work_signal: wakes one of several equal workers, tasks of one thread. A condition would wake all of them, to find
// that one has taken the work. A worker that wakes up takes work until there is none, and calls notify_one() if it
// leaves some behind while it is busy.
#pragma once

#include "async/task.hpp"

namespace async {

class work_signal {
 public:
  explicit work_signal(const executor& where) : timer_(where, clock::time_point::max()) {}

  // Wakes the task that has waited longest. If none waits, nothing is remembered: a worker looks for work before it
  // waits.
  void notify_one() { timer_.cancel_one(); }

  // Returns at a notification, or at `when`. Cancelled: throws operation_aborted.
  task<> wait_until(clock::time_point when);

 private:
  task<> wait();

  timer timer_;
};

}  // namespace async
