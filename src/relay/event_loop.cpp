#include "relay/event_loop.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <latch>
#include <system_error>

namespace relay {
namespace {

constexpr std::size_t batch = 128;

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
  if (!epoll_ || !wake_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &e) != 0)
    throw std::system_error(errno, std::system_category(), "epoll");
  sigset_t all, before;  // signals are the control thread's
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

event_loop::~event_loop() {
  post([this] { stopping_ = true; });
  thread_.join();
}

void event_loop::post(std::function<void()> command) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = commands_.empty();
    commands_.push_back(std::move(command));
  }
  if (first) ::eventfd_write(wake_.get(), 1);
}

void event_loop::call(std::function<void()> command) {
  std::latch done(1);
  post([&] {
    command();
    done.count_down();
  });
  done.wait();
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
  tickers_.push_back({period, clock::now() + period, std::move(tick)});
}

void event_loop::run_commands() {
  std::uint64_t count = 0;
  static_cast<void>(::eventfd_read(wake_.get(), &count));
  std::vector<std::function<void()>> commands;
  {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  for (auto& command : commands) command();
}

// Answers how long epoll may sleep, in milliseconds; -1 for ever.
int event_loop::run_tickers() {
  for (std::size_t i = 0; i < tickers_.size();) {
    if (tickers_[i].due > now_) {
      ++i;
      continue;
    }
    tickers_[i].due = now_ + tickers_[i].period;
    const auto tick = tickers_[i].tick;  // it may add another one
    if (tick()) ++i;
    else tickers_.erase(tickers_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (tickers_.empty()) return -1;
  const auto next = std::ranges::min_element(tickers_, {}, &ticker::due)->due;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(std::max(next - now_, clock::duration::zero())).count());
}

void event_loop::run() {
  pthread_setname_np(pthread_self(), "relay");
  std::array<epoll_event, batch> events;
  while (!stopping_) {
    now_ = clock::now();
    const int timeout = run_tickers();
    const int count = ::epoll_wait(epoll_.get(), events.data(), batch, timeout);
    now_ = clock::now();
    bool commanded = false;
    for (int i = 0; i < count; ++i) {
      const auto& e = events[static_cast<std::size_t>(i)];
      auto* handler = reinterpret_cast<event_handler*>(e.data.u64 & ~std::uint64_t{1});  // NOLINT(performance-no-int-to-ptr): see tag()
      if (handler == nullptr) commanded = true;
      else handler->on_event(static_cast<unsigned>(e.data.u64 & 1), e.events);
    }
    if (commanded) run_commands();
    retired_.clear();
  }
  run_commands();
  retired_.clear();
}

}  // namespace relay
