// Deadlines for tasks: `until` and `within` run a task, cancel it at the deadline, wait for its end, and return
// std::errc::timed_out. A wait needs one of them, or a condition that shutdown fires.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <memory>
#include <system_error>

#include "async/task.hpp"
#include "base/result.hpp"

namespace async {
namespace detail {

template <class R>
struct timed_run {
  explicit timed_run(const executor& where, clock::time_point when)
      : timer(where, when), value(base::fail(std::errc::operation_in_progress, "the task has not ended")) {}
  async::timer timer;
  asio::cancellation_signal stop;
  bool finished = false;  // `work` has returned, or has thrown
  R value;
  std::exception_ptr thrown;
};

task<base::result<>> as_result(task<> work);

}  // namespace detail

// The result of `work`, or timed_out with the context "deadline". Exceptions of `work` pass through. When the caller is
// cancelled, `work` is cancelled too and awaited, and operation_aborted is thrown.
template <class T>
task<base::result<T>> until(clock::time_point when, task<base::result<T>> work) {
  const executor where = co_await asio::this_coro::executor;
  auto run = std::make_shared<detail::timed_run<base::result<T>>>(where, when);
  auto finish = [run](std::exception_ptr thrown, base::result<T> value) {
    run->thrown = thrown;
    if (!thrown) run->value = std::move(value);
    run->finished = true;
    run->timer.cancel();
  };
  asio::co_spawn(where, std::move(work), asio::bind_cancellation_slot(run->stop.slot(), std::move(finish)));
  // From here to the end of `work` a cancellation of the caller only wakes it; it is checked when the work has ended.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto caller = co_await asio::this_coro::cancellation_state;
  if (!run->finished) co_await run->timer.async_wait(nothrow);
  const bool cut_short = !run->finished;
  if (cut_short) run->stop.emit(asio::cancellation_type::terminal);
  while (!run->finished) {
    run->timer.expires_at(clock::time_point::max());
    co_await run->timer.async_wait(nothrow);
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  const bool cancelled = caller.cancelled() != asio::cancellation_type::none;
  if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
  if (cut_short) co_return base::fail(std::errc::timed_out, "deadline");
  if (run->thrown) std::rethrow_exception(run->thrown);
  co_return std::move(run->value);
}

inline task<base::result<>> until(clock::time_point when, task<> work) {
  return until(when, detail::as_result(std::move(work)));
}

template <class T>
task<base::result<T>> within(clock::duration limit, task<base::result<T>> work) {
  return until(clock::now() + limit, std::move(work));
}
inline task<base::result<>> within(clock::duration limit, task<> work) {
  return until(clock::now() + limit, std::move(work));
}

}  // namespace async
