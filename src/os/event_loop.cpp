#include "os/event_loop.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "async/clock.hpp"

namespace os {
namespace {

constexpr std::size_t batch = 128;
constexpr clock::duration longest_sleep = std::chrono::hours(24);
constexpr std::size_t stack_bytes = 256 << 10;  // mostly for sanitizers

void check(int error_number, const char* what) {
  if (error_number != 0) throw std::system_error(error_number, std::system_category(), what);
}

std::uint64_t tag(event_handler* handler, unsigned which) { return reinterpret_cast<std::uint64_t>(handler) | which; }

epoll_event make_event(event_handler* handler, unsigned which, std::uint32_t events) {
  epoll_event e{};
  e.events = events;
  e.data.u64 = tag(handler, which);
  return e;
}

}  // namespace

event_loop::event_loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  auto e = make_event(nullptr, 0, EPOLLIN);
  if (!epoll_ || !wake_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &e) != 0) check(errno, "epoll");
  pthread_attr_t small;
  ::pthread_attr_init(&small);
  ::pthread_attr_setstacksize(&small, stack_bytes);
  sigset_t all, before;  // the control thread takes the signals
  sigfillset(&all);
  sigdelset(&all, SIGSYS);  // see os/call_filter.hpp
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto start = [](void* self) -> void* { return static_cast<event_loop*>(self)->run(), nullptr; };
  const int failed = ::pthread_create(&thread_, &small, start, this);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&small);
  check(failed, "thread");
}

event_loop::~event_loop() {
  {
    const std::lock_guard lock(turn_);
    stopping_ = true;
  }
  wake();
  ::pthread_join(thread_, nullptr);
}

void event_loop::wake() { ::eventfd_write(wake_.get(), 1); }

void event_loop::call(const std::function<void()>& command) {
  ++callers_;
  {
    const std::lock_guard lock(turn_);
    ++calls_;
    now_ = async::clock::now();
    const auto tickers_before = tickers_.size();
    run_posted();
    command();
    retired_.clear();
    if (tickers_.size() != tickers_before || finish_) wake();  // it may sleep too long now
  }
  --callers_;
  callers_.notify_all();
}

void event_loop::post(std::function<void()> command) {
  bool first = false;
  {
    const std::lock_guard lock(posting_);
    first = posted_.empty();
    posted_.push_back(std::move(command));
  }
  if (first) wake();
}

void event_loop::run_posted() {
  std::vector<std::function<void()>> commands;
  {
    const std::lock_guard lock(posting_);
    commands.swap(posted_);
  }
  for (const auto& command : commands) command();
}

// A mutex is not fair: under load the loop would win every time.
void event_loop::let_callers_go_first() {
  for (auto waiting = callers_.load(); waiting != 0; waiting = callers_.load()) callers_.wait(waiting);
}

bool event_loop::watch(int fd, event_handler& handler, unsigned which, std::uint32_t events) {
  auto e = make_event(&handler, which, events);
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e) == 0;
}

void event_loop::change(int fd, event_handler& handler, unsigned which, std::uint32_t events) {
  auto e = make_event(&handler, which, events);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &e);
}

void event_loop::unwatch(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void event_loop::every(std::chrono::milliseconds period, std::function<bool()> tick) {
  const auto due = async::clock::now() + period;
  next_due_ = tickers_.empty() ? due : std::min(next_due_, due);
  tickers_.push_back({period, due, std::move(tick)});
}

// When the next tick is due.
clock::time_point event_loop::run_tickers() {
  if (tickers_.empty()) return clock::time_point::max();
  if (next_due_ <= now_) call_due();
  return tickers_.empty() ? clock::time_point::max() : next_due_;
}

// How long epoll may sleep, in milliseconds; -1: for ever.
int event_loop::finish_turn() {
  auto due = run_tickers();
  if (finish_) due = std::min(due, finish_());
  if (due == clock::time_point::max()) return -1;
  const auto wait = std::clamp<clock::duration>(due - now_, clock::duration::zero(), longest_sleep);
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
}

void event_loop::call_due() {
  for (std::size_t i = 0; i < tickers_.size();) {
    if (tickers_[i].due > now_) {
      ++i;
      continue;
    }
    tickers_[i].due = now_ + tickers_[i].period;
    const auto tick = tickers_[i].tick;  // a copy: it may add a ticker
    if (tick())
      ++i;
    else
      tickers_.erase(tickers_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (!tickers_.empty()) next_due_ = std::ranges::min_element(tickers_, {}, &ticker::due)->due;
}

void event_loop::dispatch(std::span<const epoll_event> events) {
  for (const auto& e : events) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): see tag()
    auto* handler = reinterpret_cast<event_handler*>(e.data.u64 & ~std::uint64_t{1});
    std::uint64_t count = 0;
    if (handler == nullptr)
      static_cast<void>(::eventfd_read(wake_.get(), &count)), run_posted();
    else
      handler->on_event(static_cast<unsigned>(e.data.u64 & 1), e.events);
  }
}

// A call between epoll_wait and dispatch may have destroyed handlers, so the batch is dropped; see Lifetime.
void event_loop::run() {
  pthread_setname_np(pthread_self(), "relay");
  std::array<epoll_event, batch> events;
  std::unique_lock turn(turn_);
  while (!stopping_) {
    now_ = async::clock::now();
    const int timeout = finish_turn();
    const auto calls_before = calls_;
    turn.unlock();
    const int count = ::epoll_wait(epoll_.get(), events.data(), batch, timeout);
    let_callers_go_first();
    turn.lock();
    now_ = async::clock::now();
    if (calls_ == calls_before && count > 0) dispatch(std::span(events).first(static_cast<std::size_t>(count)));
    retired_.clear();
  }
}

}  // namespace os
