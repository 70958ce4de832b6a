#include "os/signals.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <latch>
#include <system_error>
#include <thread>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/log.hpp"
#include "os/capabilities.hpp"
#include "os/readable.hpp"

namespace os {
namespace {

constexpr std::int64_t one_request_ns = 200'000'000;
constexpr std::size_t stack_bytes = 256 << 10;  // mostly for sanitizers

// Shared by the handler and stop_signal().
std::atomic<int> first_number{0};
std::atomic<std::int64_t> first_at_ns{0};
int arrived = -1;  // an eventfd, readable after the first signal
int asked = -1;    // an eventfd: the number of SIGUSR1 that user_signal() has not returned
int taken = -1;    // a signalfd of SIGINT and SIGTERM, for watch()
std::int64_t limit_ns = 0;
std::latch unprivileged(1);  // the thread has given up its rights, which it never needs

static_assert(std::atomic<std::int64_t>::is_always_lock_free);  // a signal handler may only use it if it is

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

extern "C" void keep_stop_signal(int number) {
  const int saved = errno;
  int none = 0;
  if (first_number.compare_exchange_strong(none, number)) {
    first_at_ns = now_ns();
    const std::uint64_t one = 1;
    static_cast<void>(!::write(arrived, &one, sizeof one));
  } else if (first_at_ns != 0 && now_ns() - first_at_ns > one_request_ns) {
    ::_exit(128 + number);
  }
  errno = saved;
}

extern "C" void keep_user_signal(int /*number*/) {
  const int saved = errno;
  const std::uint64_t one = 1;
  static_cast<void>(!::write(asked, &one, sizeof one));
  errno = saved;
}

int make_eventfd(int flags) {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | flags);
  if (fd < 0) throw std::system_error(errno, std::system_category(), "eventfd");
  return fd;
}

void wait_for_signals(int milliseconds) {
  std::array<pollfd, 2> ready{{{taken, POLLIN, 0}, {arrived, POLLIN, 0}}};
  const bool first = first_at_ns == 0;
  ::poll(ready.data(), first ? 2 : 1, milliseconds);
  signalfd_siginfo signal{};
  if (::read(taken, &signal, sizeof signal) == sizeof signal) keep_stop_signal(static_cast<int>(signal.ssi_signo));
}

// A thread in a system call that cannot be interrupted, such as one on a disk that hangs, takes no signal, and the
// kernel gives it to no other thread. Reading a signalfd takes it all the same.
[[noreturn]] void watch() {
  ::pthread_setname_np(::pthread_self(), "signals");
  static_cast<void>(keep_capabilities(0));
  unprivileged.count_down();
  while (first_at_ns == 0) wait_for_signals(-1);
  while (true) {
    const auto left = first_at_ns + limit_ns - now_ns();
    if (left <= 0) ::_exit(0);
    wait_for_signals(static_cast<int>(left / 1'000'000) + 1);
  }
}

// A supervisor may start programs with all signals blocked; threads started later inherit this.
void unblock_refusals() {
  sigset_t refusals;  // see os/call_filter.hpp
  sigemptyset(&refusals);
  sigaddset(&refusals, SIGSYS);
  ::pthread_sigmask(SIG_UNBLOCK, &refusals, nullptr);
}

void check(int error_number, const char* what) {
  if (error_number != 0) throw std::system_error(error_number, std::system_category(), what);
}

void start_watch() {
  sigset_t both, all, before;
  sigemptyset(&both);
  sigaddset(&both, SIGINT);
  sigaddset(&both, SIGTERM);
  taken = ::signalfd(-1, &both, SFD_CLOEXEC | SFD_NONBLOCK);
  if (taken < 0) check(errno, "signalfd");
  sigfillset(&all);
  sigdelset(&all, SIGSYS);  // see os/call_filter.hpp
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t small;
  ::pthread_attr_init(&small);
  ::pthread_attr_setstacksize(&small, stack_bytes);
  ::pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  const int failed = ::pthread_create(&thread, &small, [](void*) -> void* { watch(); }, nullptr);
  ::pthread_attr_destroy(&small);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  check(failed, "thread");
  unprivileged.wait();
}

void handle(int number, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_flags = SA_RESTART;
  action.sa_handler = handler;
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  ::sigaction(number, &action, nullptr);
}

}  // namespace

void catch_stop_signals(std::chrono::milliseconds limit) {
  if (arrived >= 0) return;
  arrived = make_eventfd(0);
  limit_ns = std::chrono::nanoseconds(limit).count();
  asked = make_eventfd(EFD_SEMAPHORE);
  for (const int number : {SIGPIPE, SIGXFSZ}) std::signal(number, SIG_IGN);  // the write fails, and says why
  handle(SIGUSR1, keep_user_signal);
  handle(SIGINT, keep_stop_signal);
  handle(SIGTERM, keep_stop_signal);
  unblock_refusals();
  start_watch();
}

async::task<int> stop_signal() {
  while (first_number == 0) co_await readable(arrived);
  co_return first_number;
}

async::task<> user_signal() {
  std::uint64_t one = 0;
  while (::read(asked, &one, sizeof one) < 0) co_await readable(asked);
}

void exit_after(async::clock::duration limit, int code) {
  std::thread([limit, code] {
    std::this_thread::sleep_for(limit);
    base::log::error("stop", "shutdown deadline exceeded, exiting");
    std::_Exit(code);
  }).detach();
}

}  // namespace os
