#include "os/signals.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <system_error>
#include <thread>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/log.hpp"

namespace os {
namespace {

constexpr std::int64_t one_request_ns = 200'000'000;

// Shared by the handler and stop_signal().
std::atomic<int> first_number{0};
std::atomic<std::int64_t> first_at_ns{0};
int arrived = -1;  // an eventfd, readable after the first signal
int asked = -1;    // an eventfd: the number of SIGUSR1 that user_signal() has not returned

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

}  // namespace

void catch_stop_signals() {
  if (arrived >= 0) return;
  arrived = make_eventfd(0);
  asked = make_eventfd(EFD_SEMAPHORE);
  std::signal(SIGPIPE, SIG_IGN);
  struct sigaction action{};
  action.sa_flags = SA_RESTART;
  action.sa_handler = keep_user_signal;
  ::sigaction(SIGUSR1, &action, nullptr);
  action.sa_handler = keep_stop_signal;
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

async::task<int> stop_signal() {
  const int fd = ::fcntl(arrived, F_DUPFD_CLOEXEC, 0);
  async::asio::posix::stream_descriptor stream(co_await async::asio::this_coro::executor, fd);
  while (first_number == 0) {
    co_await stream.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
  }
  co_return first_number;
}

async::task<> user_signal() {
  const int fd = ::fcntl(asked, F_DUPFD_CLOEXEC, 0);
  async::asio::posix::stream_descriptor stream(co_await async::asio::this_coro::executor, fd);
  std::uint64_t one = 0;
  while (::read(fd, &one, sizeof one) < 0) {
    co_await stream.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
  }
}

void exit_after(async::clock::duration limit, int code) {
  std::thread([limit, code] {
    std::this_thread::sleep_for(limit);
    base::log::error("stop", "shutdown deadline exceeded, exiting");
    std::_Exit(code);
  }).detach();
}

}  // namespace os
