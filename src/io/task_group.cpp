#include "io/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <cstdlib>
#include <exception>

#include "base/log.hpp"
#include "io/timeout.hpp"

namespace io {
namespace {

struct child {
  std::string name;
  asio::cancellation_signal stop;
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

}  // namespace

struct task_group::state {
  explicit state(const executor& e) : where(e), ended(e) {}
  executor where;
  condition ended;
  std::list<child> children;
};

task_group::task_group(const executor& where) : state_(std::make_shared<state>(where)) {}

task_group::~task_group() {
  for (auto at = state_->children.rbegin(); at != state_->children.rend();) (at++)->stop.emit(asio::cancellation_type::terminal);
}

void task_group::spawn(std::string name, task<> work) {
  auto& children = state_->children;
  children.emplace_back();
  const auto at = std::prev(children.end());
  at->name = std::move(name);
  auto finish = [s = state_, at](std::exception_ptr thrown) {
    check_ending(at->name, thrown);
    s->children.erase(at);
    s->ended.notify_all();
  };
  asio::co_spawn(state_->where, std::move(work), asio::bind_cancellation_slot(at->stop.slot(), std::move(finish)));
}

task<> task_group::join() {
  const auto s = state_;
  while (!s->children.empty()) co_await s->ended.wait();
}

task<bool> task_group::stop(clock::time_point deadline) {
  const auto s = state_;
  while (!s->children.empty() && clock::now() < deadline) {
    auto& last = s->children.back();
    const auto before = s->children.size();
    last.stop.emit(asio::cancellation_type::terminal);
    while (s->children.size() == before && clock::now() < deadline) co_await s->ended.wait_until(deadline);
  }
  co_return s->children.empty();
}

task<> task_group::join_or_stop() {
  std::exception_ptr cancelled;
  try {
    co_await join();
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (!cancelled) co_return;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await stop(clock::time_point::max());
  std::rethrow_exception(cancelled);
}

std::size_t task_group::size() const { return state_->children.size(); }

}  // namespace io
