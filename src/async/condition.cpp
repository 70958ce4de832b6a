#include "async/condition.hpp"

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"

namespace async {

task<> condition::wait() {
  co_await timer_.async_wait(nothrow);
  co_await check_cancelled();
}

task<> condition::wait_until(clock::time_point when) {
  if (when == clock::time_point::max()) {
    co_await wait();
    co_return;
  }
  static_cast<void>(co_await until(when, wait()));
}

}  // namespace async
