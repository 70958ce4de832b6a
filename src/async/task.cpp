#include "async/task.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "async/clock.hpp"

namespace async {

task<> check_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    throw boost::system::system_error(asio::error::operation_aborted);
}

task<> yield() {
  const auto where = co_await asio::this_coro::executor;
  co_await asio::post(where, asio::use_awaitable);
  co_await check_cancelled();
}

task<> sleep_until(clock::time_point when) {
  timer alarm(co_await asio::this_coro::executor, when);
  co_await alarm.async_wait(nothrow);
  co_await check_cancelled();
}

task<> sleep_for(clock::duration how_long) { return sleep_until(clock::now() + how_long); }

}  // namespace async
