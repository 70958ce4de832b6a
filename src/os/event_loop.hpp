// event_loop: one data-plane thread. Level-triggered epoll over handlers, and ticks that run only while one is asked
// for, so an idle loop sleeps for ever. The loop is used in turns: by its own thread while it dispatches a batch of
// events, and by other threads in call(). A call does not wait for the loop's thread to wake up, so adding and removing
// thousands of listeners does not cost two context switches each.
//
// Lifetime. The kernel holds a plain pointer to each watched handler; handlers are owned by their makers. No event
// reaches a handler that is gone, for these reasons:
//
//   gone when                            why no event reaches it
//   before epoll_wait                    the owner calls unwatch() before close(), so the kernel no longer reports it.
//                                        close() is not enough: a child between fork and exec holds the descriptor too
//   during a batch, by a handler or a    the owner gives it to retire(), which destroys it after the batch. Later
//   posted command                       events of the batch may name it: it ignores events after its end
//   between epoll_wait and the batch,    the loop drops the whole batch when a call came in between. epoll is
//   in a call() of another thread        level-triggered: events that still hold are reported again
//   in a tick                            ticks run when no batch is held
//   with the loop                        the destructor joins the thread first
//
// What a posted command or a tick refers to lives as long as the loop, or is shared, or stop_ticking() comes first.
//
// Time is that of async::clock, which a test can move forward.
//
// Edge-triggered handlers (EPOLLET) are possible on a loop that is used by post() alone: a batch that is dropped for a
// call() would take their edges along.
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
  // `which` is the argument of watch(): a handler may have two descriptors.
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
  // From any thread: the loop's own thread runs `command` soon, or an earlier call() does.
  void post(std::function<void()> command);

  // The rest is for handlers, ticks and commands. `which` is 0 or 1. False: the descriptor could not be registered.
  [[nodiscard]] bool watch(int fd, event_handler& handler, unsigned which, std::uint32_t events);
  void change(int fd, event_handler& handler, unsigned which, std::uint32_t events);
  // Before every close() of a watched descriptor.
  void unwatch(int fd);
  void retire(std::unique_ptr<event_handler> handler) { retired_.push_back(std::move(handler)); }

  // When the current batch of events was taken from the kernel, or the call began.
  [[nodiscard]] clock::time_point now() const { return now_; }
  // Calls `tick` about every `period` until it returns false. Several may run.
  void every(std::chrono::milliseconds period, std::function<bool()> tick);
  [[nodiscard]] std::size_t tickers() const { return tickers_.size(); }  // NOLINT: for tests; an idle loop has none
  // `finish` runs at the end of every turn, after its events, commands and ticks. It returns when the next turn is due
  // without an event: max() for never. One for each loop, for work that many events of a turn share.
  void after_each_turn(std::function<clock::time_point()> finish) { finish_ = std::move(finish); }
  // Ends all ticks, in the call() that ends what they work on.
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
  [[nodiscard]] clock::time_point run_tickers();
  [[nodiscard]] int finish_turn();
  void call_due();

  base::unique_fd epoll_;
  base::unique_fd wake_;
  clock::time_point now_{};  // set when a turn begins
  std::vector<std::unique_ptr<event_handler>> retired_;
  std::vector<ticker> tickers_;
  std::function<clock::time_point()> finish_;
  clock::time_point next_due_{};  // no ticker is due earlier: most wake-ups need not check them
  std::mutex turn_;               // guards all members but epoll_, wake_, callers_ and posted_
  std::atomic<int> callers_{0};   // in call()
  std::uint64_t calls_ = 0;
  bool stopping_ = false;
  std::mutex posting_;  // for posted_
  std::vector<std::function<void()>> posted_;
  pthread_t thread_{};
};

}  // namespace os
