#include "async/blocking_calls.hpp"

#include <atomic>
#include <boost/asio/post.hpp>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "async/clock.hpp"
#include "async/condition.hpp"
#include "async/task.hpp"
#include "base/result.hpp"

namespace async {
namespace {

std::atomic<unsigned> threads{0};  // running

base::result<> start_thread(std::function<void()> body) try {
  ++threads;
  std::thread([body = std::move(body)] {
    body();
    --threads;
  }).detach();
  return {};
} catch (const std::system_error& e) {
  --threads;
  return base::fail(e.code(), "a thread for a call that may block");
}

}  // namespace

// How many calls are under way, and the keys of those that were left behind. Threads outlive their blocking_calls, so
// they share it.
class blocking_calls::calls {
 public:
  explicit calls(unsigned most) : most_(most) {}

  base::result<> begin(const std::string& key) {
    const std::lock_guard lock(mutex_);
    if (left_.contains(key)) return base::fail(std::errc::timed_out, "an earlier call still blocks");
    if (running_ >= most_) return base::fail(std::errc::resource_unavailable_try_again, "earlier calls still block");
    ++running_;
    return {};
  }
  void leave(const std::string& key) {
    const std::lock_guard lock(mutex_);
    if (!key.empty()) ++left_[key];
  }
  void end(const std::string& key, bool was_left) {
    const std::lock_guard lock(mutex_);
    --running_;
    const auto left = left_.find(key);
    if (was_left && left != left_.end() && --left->second == 0) left_.erase(left);
  }
  [[nodiscard]] std::size_t left() const {
    const std::lock_guard lock(mutex_);
    return left_.size();
  }
  [[nodiscard]] bool left(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    return left_.contains(key);
  }

 private:
  mutable std::mutex mutex_;
  unsigned most_, running_ = 0;
  std::map<std::string, unsigned> left_;
};

namespace {

// State shared by the thread and the task that waits for it. Either may end first: the thread wakes the task, and uses
// its executor, only while the task waits.
class shared_call {
 public:
  shared_call(executor where, condition& waiter) : where_(std::move(where)), waiter_(&waiter) {}

  // On the thread. True: the task has left. The posted part finds no waiter if the task leaves meanwhile.
  template <class Before>
  static void end(const std::shared_ptr<shared_call>& self, Before before) {
    const std::lock_guard lock(self->mutex_);
    before(self->waiter_ == nullptr);
    self->ended_ = true;
    if (self->waiter_ != nullptr) asio::post(self->where_, [self] { self->wake(); });
  }
  [[nodiscard]] bool ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  // Calls `before` if the thread still runs.
  template <class Before>
  void leave(Before before) {
    const std::lock_guard lock(mutex_);
    if (!ended_) before();
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

template <class Action>
struct at_the_end {
  Action action;
  ~at_the_end() { action(); }
};

}  // namespace

bool any_call_blocks() { return threads > 0; }

blocking_calls::blocking_calls(unsigned most) : calls_(std::make_shared<calls>(most)) {}

std::size_t blocking_calls::left_behind() const { return calls_->left(); }
bool blocking_calls::left_behind(const std::string& key) const { return calls_->left(key); }

task<base::result<>> blocking_calls::run_detached(std::function<void()> work, clock::time_point deadline,
                                                  std::string key) {
  if (auto begun = calls_->begin(key); !begun) co_return begun;
  const executor where = co_await asio::this_coro::executor;
  condition ended(where);
  const auto shared = std::make_shared<shared_call>(where, ended);
  auto started = start_thread([shared, work = std::move(work), all = calls_, key] {
    work();
    shared_call::end(shared, [&](bool was_left) { all->end(key, was_left); });
  });
  if (!started) {
    calls_->end(key, false);
    co_return started;
  }
  const at_the_end leaving{[&] { shared->leave([&] { calls_->leave(key); }); }};
  while (!shared->ended() && clock::now() < deadline) co_await ended.wait_until(deadline);
  if (!shared->ended()) co_return base::fail(std::errc::timed_out, "deadline");
  co_return base::result<>{};
}

base::result<> wait_for(std::function<void()> work, std::chrono::milliseconds limit) {
  struct state {
    std::mutex mutex;
    std::condition_variable changed;
    bool ended = false;
  };
  const auto shared = std::make_shared<state>();
  auto started = start_thread([shared, work = std::move(work)] {
    work();
    const std::lock_guard lock(shared->mutex);
    shared->ended = true;
    shared->changed.notify_all();
  });
  if (!started) return started;
  std::unique_lock lock(shared->mutex);
  if (shared->changed.wait_for(lock, limit, [&] { return shared->ended; })) return {};
  return base::fail(std::errc::timed_out, "deadline");
}

}  // namespace async
