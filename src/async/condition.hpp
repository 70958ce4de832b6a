// condition: a condition variable for tasks of one thread. Waiters test their predicate, wait, and test again.
#pragma once

#include "async/task.hpp"

namespace async {

class condition {
 public:
  explicit condition(const executor& where) : timer_(where, clock::time_point::max()) {}

  // Wakes every task that waits now. A task that tests its predicate and then waits misses nothing.
  void notify_all() { timer_.cancel(); }

  // Returns at the next notify_all(). Cancelled: throws operation_aborted.
  task<> wait();
  // The same, or at `when`.
  task<> wait_until(clock::time_point when);

 private:
  timer timer_;
};

}  // namespace async
