// event_loop: one data-plane thread. Level-triggered epoll over handlers, and a tick that runs only while somebody
// asked for it, so an idle loop sleeps for ever. What belongs to the loop is used in turns: by its thread while it
// dispatches events, and by other threads in call(), which waits for no thread to wake up: adding and removing
// thousands of listeners does not cost two context switches each.
//
// Handlers are owned by whoever made them. A handler that ends while events are being dispatched is given to retire():
// it is destroyed after the batch, since later events of the batch may name it.
#pragma once

#include <pthread.h>
#include <sys/epoll.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/unique_fd.hpp"

namespace os {

using clock = std::chrono::steady_clock;

class event_handler {
 public:
  virtual ~event_handler() = default;
  // `which` is what was given to watch(): a handler may have two descriptors.
  virtual void on_event(unsigned which, std::uint32_t events) = 0;
};

class event_loop {
 public:
  event_loop();  // throws std::system_error when the system is out of descriptors or threads
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;
  ~event_loop();  // stops the thread

  // From any thread but the loop's: runs `command` here and now, between two batches of events.
  void call(const std::function<void()>& command);
  // From any thread, another loop's too: the loop's own runs `command` soon, or a call() that comes first does.
  void post(std::function<void()> command);

  // By handlers, ticks and in call(). `which` is 0 or 1. False: the descriptor could not be registered.
  [[nodiscard]] bool watch(int fd, event_handler& handler, unsigned which, std::uint32_t events);
  void change(int fd, event_handler& handler, unsigned which, std::uint32_t events);
  // Before every close() of a watched descriptor: a child process between fork and exec has it too, and would keep it
  // reporting to a handler that is gone.
  void unwatch(int fd);
  void retire(std::unique_ptr<event_handler> handler) { retired_.push_back(std::move(handler)); }

  // The time at which the current batch of events was taken from the kernel, or the call began.
  [[nodiscard]] clock::time_point now() const { return now_; }
  // Calls `tick` about every `period` from now on, until it answers false. Several may run.
  void every(std::chrono::milliseconds period, std::function<bool()> tick);
  [[nodiscard]] std::size_t tickers() const { return tickers_.size(); }
  // No tick is called again: for the call() in which what they work on ends.
  void stop_ticking() { tickers_.clear(); }

 private:
  struct ticker {
    std::chrono::milliseconds period;
    clock::time_point due;
    std::function<bool()> tick;
  };
  void run();
  void wake();
  void run_posted();
  void let_callers_go_first();
  void dispatch(std::span<const epoll_event> events);
  [[nodiscard]] int run_tickers();
  void call_due();

  base::unique_fd epoll_;
  base::unique_fd wake_;
  clock::time_point now_ = clock::now();
  std::vector<std::unique_ptr<event_handler>> retired_;
  std::vector<ticker> tickers_;
  clock::time_point next_due_{};  // not after any ticker's: most wake-ups need not look at them
  std::mutex turn_;               // held by whoever uses anything of the loop but epoll_, wake_, callers_ and posted_
  std::atomic<int> callers_{0};   // in call()
  std::uint64_t calls_ = 0;
  bool stopping_ = false;
  std::mutex posting_;  // for posted_
  std::vector<std::function<void()>> posted_;
  pthread_t thread_{};
};

}  // namespace os
