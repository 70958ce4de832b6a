#include "io/first_of.hpp"

#include <exception>

#include "io/task_group.hpp"

namespace io {
namespace {

task<> note_end(task<> work, bool& ended, condition& changed) {
  co_await std::move(work);
  ended = true;
  changed.notify_all();
}

}  // namespace

task<> first_of(task<> a, task<> b) {
  const auto where = co_await asio::this_coro::executor;
  bool ended = false;
  condition changed(where);
  task_group both(where);
  both.spawn("first of two", note_end(std::move(a), ended, changed));
  if (!ended) both.spawn("second of two", note_end(std::move(b), ended, changed));
  std::exception_ptr cancelled;
  try {
    while (!ended) co_await changed.wait();  // NOLINT(bugprone-infinite-loop): note_end changes it
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await both.stop(clock::time_point::max());
  if (cancelled) std::rethrow_exception(cancelled);
}

}  // namespace io
