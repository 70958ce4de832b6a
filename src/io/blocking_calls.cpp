#include "io/blocking_calls.hpp"

#include <boost/asio/post.hpp>
#include <mutex>
#include <thread>

#include "io/condition.hpp"

namespace io {
namespace {

// What the thread and the task that waits for it share. Neither may outlive its world: the task is told only while it
// waits, and the executor is used only then.
class call {
 public:
  call(executor where, condition& waiter) : where_(std::move(where)), waiter_(&waiter) {}

  // On the thread. The posted part finds no waiter where the task has left meanwhile.
  static void end(const std::shared_ptr<call>& self) {
    const std::lock_guard lock(self->mutex_);
    self->ended_ = true;
    if (self->waiter_ != nullptr) asio::post(self->where_, [self] { self->wake(); });
  }
  [[nodiscard]] bool ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    waiter_ = nullptr;
  }

 private:
  void wake() const {
    const std::lock_guard lock(mutex_);
    if (waiter_ != nullptr) waiter_->notify_all();
  }

  mutable std::mutex mutex_;
  executor where_;
  condition* waiter_;
  bool ended_ = false;
};

struct leaving {
  call& one;
  ~leaving() { one.leave(); }
};

}  // namespace

task<base::result<>> blocking_calls::run_detached(std::function<void()> work, clock::time_point deadline) {
  if (running_->fetch_add(1) >= most_) {
    running_->fetch_sub(1);
    co_return base::fail(std::errc::resource_unavailable_try_again, "earlier calls still block");
  }
  const executor where = co_await asio::this_coro::executor;
  condition ended(where);
  const auto shared = std::make_shared<call>(where, ended);
  const leaving at_the_end{*shared};
  auto body = [shared, work = std::move(work), running = running_] {
    work();
    running->fetch_sub(1);
    call::end(shared);
  };
  std::error_code failed;
  try {
    std::thread(std::move(body)).detach();
  } catch (const std::system_error& e) {
    running_->fetch_sub(1);
    failed = e.code();
  }
  if (failed) co_return base::fail(failed, "a thread for a call that may block");
  while (!shared->ended() && clock::now() < deadline) co_await ended.wait_until(deadline);
  if (!shared->ended()) co_return base::fail(std::errc::timed_out, "deadline");
  co_return base::result<>{};
}

}  // namespace io
