#include "async/task_group.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/log.hpp"

namespace async {
namespace {

struct child {
  std::uint64_t number = 0;
  std::string name;
  asio::cancellation_signal stop;
  bool begun = false;
  bool unwanted = false;  // cancelled before it began

  void cancel() {
    if (begun)
      stop.emit(asio::cancellation_type::terminal);
    else
      unwanted = true;
  }
};

void check_ending(const std::string& name, const std::exception_ptr& thrown) try {
  if (thrown) std::rethrow_exception(thrown);
} catch (const boost::system::system_error& e) {
  if (e.code() == asio::error::operation_aborted) return;
  base::log::error("task", "{} failed: {}", name, e.what());
  std::abort();
} catch (const std::exception& e) {
  base::log::error("task", "{} failed: {}", name, e.what());
  std::abort();
}

// Runs the work of a task, or drops it if it was cancelled before. The awaits that co_spawn adds before and after it
// must not be cancelled: their exception would leave io_context::run(), and the end of the task would never be
// reported.
task<> lead(child& c, task<> work) {
  c.begun = true;
  std::exception_ptr thrown;
  try {
    if (!c.unwanted) co_await std::move(work);
  } catch (...) {
    thrown = std::current_exception();
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace

struct task_group::state {
  explicit state(const executor& e) : where(e), ended(e) {}
  executor where;
  condition ended;
  std::list<child> children;
  std::set<timer*> stops;  // of the running stop() calls
  std::uint64_t started = 0;

  void note_end() {
    ended.notify_all();
    for (auto* waits : stops) waits->cancel();
  }
  [[nodiscard]] bool ends_with(std::uint64_t number) const {
    return !children.empty() && children.back().number == number;
  }
};

task_group::task_group(const executor& where) : state_(std::make_shared<state>(where)) {}

task_group::~task_group() {
  for (auto at = state_->children.rbegin(); at != state_->children.rend();) (at++)->cancel();
}

// The handler that co_spawn calls at the end of a task. It is not a lambda under bind_cancellation_slot: with that,
// co_spawn posts a cancellation from outside the loop, by a pointer that dangles once the task has ended.
struct task_group::ending {
  using cancellation_slot_type = asio::cancellation_slot;
  std::shared_ptr<state> group;
  std::list<child>::iterator at;

  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return at->stop.slot(); }
  void operator()(const std::exception_ptr& thrown) const {
    check_ending(at->name, thrown);
    group->children.erase(at);
    group->note_end();
  }
};

void task_group::spawn(std::string name, task<> work) {
  auto& children = state_->children;
  children.emplace_back();
  const auto at = std::prev(children.end());
  at->number = ++state_->started;
  at->name = std::move(name);
  asio::co_spawn(state_->where, lead(*at, std::move(work)), ending{state_, at});
}

task<> task_group::join() {
  const auto s = state_;
  while (!s->children.empty()) co_await s->ended.wait();
}

// The group is in the caller's frame, and its tasks use objects of the caller: a cancellation only wakes this wait.
task<bool> task_group::stop(clock::time_point deadline) {
  const auto s = state_;
  timer alarm(s->where, deadline);
  s->stops.insert(&alarm);
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!s->children.empty() && clock::now() < deadline) {
    const auto last = s->children.back().number;
    s->children.back().cancel();
    while (s->ends_with(last) && clock::now() < deadline) co_await alarm.async_wait(nothrow);
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  s->stops.erase(&alarm);
  const bool all_ended = s->children.empty();
  co_return all_ended;
}

task<> task_group::join_or_stop() { return run_beside(join()); }

task<> task_group::run_beside(task<> main) {
  std::exception_ptr thrown;
  try {
    co_await std::move(main);
  } catch (...) {
    thrown = std::current_exception();
  }
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await stop(clock::time_point::max());
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (thrown) std::rethrow_exception(thrown);
  co_await check_cancelled();
}

std::size_t task_group::size() const { return state_->children.size(); }

}  // namespace async
