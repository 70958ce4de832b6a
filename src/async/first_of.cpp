#include "async/first_of.hpp"

#include <utility>

#include "async/condition.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"

namespace async {
namespace {

task<> note_end(task<> work, bool& ended, condition& changed) {
  co_await std::move(work);
  ended = true;
  changed.notify_all();
}

task<> wait_for_end(const bool& ended, condition& changed) {
  while (!ended) co_await changed.wait();
}

}  // namespace

task<> first_of(task<> a, task<> b) {
  const auto where = co_await asio::this_coro::executor;
  bool ended = false;
  condition changed(where);
  task_group both(where);
  both.spawn("first of two", note_end(std::move(a), ended, changed));
  if (!ended) both.spawn("second of two", note_end(std::move(b), ended, changed));
  co_await both.run_beside(wait_for_end(ended, changed));
}

}  // namespace async
