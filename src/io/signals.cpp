#include "io/signals.hpp"

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/log.hpp"

namespace io {
namespace {

extern "C" void exit_at_once(int number) { std::_Exit(128 + number); }

}  // namespace

task<int> stop_signal() {
  std::signal(SIGPIPE, SIG_IGN);
  asio::signal_set set(co_await asio::this_coro::executor, SIGINT, SIGTERM);
  const auto [ec, number] = co_await set.async_wait(nothrow);
  co_await check_cancelled();
  set.clear();
  std::signal(SIGINT, exit_at_once);
  std::signal(SIGTERM, exit_at_once);
  co_return number;
}

void exit_after(clock::duration limit, int code) {
  std::thread([limit, code] {
    std::this_thread::sleep_for(limit);
    base::log::error("stop", "something hangs, ending without it");
    std::_Exit(code);
  }).detach();
}

}  // namespace io
