#include "async/work_signal.hpp"

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"

namespace async {

task<> work_signal::wait() {
  co_await timer_.async_wait(nothrow);
  co_await check_cancelled();
}

task<> work_signal::wait_until(clock::time_point when) {
  if (when == clock::time_point::max())
    co_await wait();
  else
    static_cast<void>(co_await until(when, wait()));
}

}  // namespace async
