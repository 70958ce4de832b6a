#include "program/daemon.hpp"

#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include "async/blocking_calls.hpp"
#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "os/signals.hpp"
#include "program/command_line.hpp"
#include "program/rights.hpp"

#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#endif

namespace program {
namespace {

namespace log = base::log;
using namespace std::chrono_literals;

// A supervisor allows five seconds from the signal to the end. The rest of that time is for steps without a deadline.
constexpr auto shutdown_limit = 4300ms;
constexpr auto stop_limit = 4700ms;
constexpr auto exit_limit = 4800ms;
static_assert(shutdown_limit < stop_limit && stop_limit < exit_limit && exit_limit < 5s);

std::string with_space(const std::string& text) { return text.empty() ? text : " " + text; }

// In builds with a leak checker: memory that nothing points to is a leak, even if nothing is destroyed.
void check_leaks() {
#if __has_feature(address_sanitizer)
  __lsan_do_leak_check();
#endif
}

// The leak checker would wait for a thread that blocks in the kernel.
[[noreturn]] void end_at_once(int code) {
  if (!async::any_call_blocks()) check_leaks();
  std::fflush(nullptr);
  std::_Exit(code);
}

// A return from main destroys globals, which an abandoned call may still use.
int end_with(int code) {
  if (async::any_call_blocks()) end_at_once(code);
  return code;
}

async::task<> serve(daemon* d, std::string name) {
  async::task_group tasks(co_await async::asio::this_coro::executor);
  const auto serves = d->start(tasks);
  if (!d->confines_itself()) d->filter_calls(tasks);
  log::info(name, "ready version={}{}", GUESTAGENT_VERSION, with_space(serves));
  const int signal = co_await os::stop_signal();
  log::info(name, "stopping signal={}{}", signal, with_space(d->summary()));
  os::exit_after(exit_limit, exit_ok);
  const auto asked = async::clock::now();
  co_await d->shut_down(asked + shutdown_limit);
  const bool stopped = co_await tasks.stop(asked + stop_limit);
  log::info(name, "stopped");
  if (!stopped) end_at_once(exit_ok);
}

}  // namespace

async::task<> daemon::shut_down(async::clock::time_point) { co_return; }

base::result<> daemon::keep_capabilities() { return program::keep_capabilities(info().name, needs().capabilities); }

void daemon::filter_calls(async::task_group& tasks) {
  if (filters_) program::filter_calls(info().name, needs().calls, tasks);
}

int run(int argc, const char* const* argv, const std::function<std::unique_ptr<daemon>()>& make) {
  boost::asio::io_context context(1);
  const auto made = make();
  const auto info = made->info();
  command_line line(info);
  bool debug = false;
  auto log_file = made->log_file();
  line.flags().add("debug", debug, "Also write debug lines to the log.");
  line.flags().add("logfile", log_file, "The log `file`, which is appended to; empty: stderr.");
  line.flags().add("seccomp", made->filters_, "Once it serves, refuse system calls that this program does not need.");
  made->declare(line.flags());
  if (const auto ended = line.parse(argc, argv)) return *ended;
  if (auto valid = made->check(line); !valid) return report_failure(info.name, valid.error().message(), exit_usage);
  if (!log_file.empty())
    if (const auto opened = log::set_file(log_file); !opened)
      return report_failure(info.name, "cannot open the log file " + opened.error().message());
  if (debug) log::set_level(log::level::debug);
  if (!made->confines_itself())
    if (const auto kept = made->keep_capabilities(); !kept) return report_failure(info.name, kept.error().message());
  if (auto opened = made->open(context.get_executor()); !opened)
    return end_with(report_failure(info.name, opened.error().message()));
  async::task_group main(context.get_executor());
  main.spawn(info.name, serve(made.get(), info.name));
  while (main.size() > 0) context.run_one();
  if (made->ends_at_once()) end_at_once(exit_ok);
  return end_with(exit_ok);
}

}  // namespace program
