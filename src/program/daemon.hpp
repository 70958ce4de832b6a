// daemon: a program that runs until a signal stops it, and the frame around it, run(). The frame holds what these
// programs share, so that they behave alike:
//
//   signals   caught from the first line of main on. SIGTERM or SIGINT stops the program with 0 within five seconds,
//             even if something hangs. A second one ends it at once.
//   flags     its own, and -debug, -logfile, -seccomp, -version, -h
//   rights    those that it needs; the others are given up before open()
//   codes     0, 1 or 2, see command_line.hpp. A failed start prints its reason as one line on stderr.
//   log       "ready version=…" with what it serves, "stopping signal=…" with what it still holds
//
// run() owns the daemon. It calls, on the control thread and in this order: declare, check, open, start, and after a
// signal shut_down. The daemon is destroyed before the io_context.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "async/task_group.hpp"
#include "base/descriptor_limit.hpp"
#include "base/result.hpp"
#include "os/signals.hpp"
#include "os/standard_streams.hpp"
#include "program/command_line.hpp"
#include "program/rights.hpp"

namespace program {

class daemon {
 public:
  virtual ~daemon() = default;

  [[nodiscard]] virtual about info() const = 0;
  // The default of -logfile; empty: stderr.
  [[nodiscard]] virtual std::string log_file() const { return {}; }

  // Declares its flags, which fill its members.
  virtual void declare(program::flag_set& flags) = 0;
  // Each flag is valid by itself; checks them as a whole. An error ends the program with 2.
  virtual base::result<> check(const command_line&) { return {}; }
  // What it needs from open() on, after check(). The frame gives up all else: capabilities before open(), calls after
  // start().
  [[nodiscard]] virtual rights needs() const = 0;
  // True if it first does something that needs more, and then calls keep_capabilities() and filter_calls() itself.
  [[nodiscard]] virtual bool confines_itself() const { return false; }
  // Opens what it requires: its socket, its configuration. An error ends the program with 1.
  virtual base::result<> open(const async::executor& where) = 0;
  // Starts its tasks. Returns key=value pairs for the log: "socket=/run/x.sock".
  virtual std::string start(async::task_group& tasks) = 0;
  // Runs after a signal, by the deadline, while the tasks still run. Then they are cancelled.
  virtual async::task<> shut_down(async::clock::time_point deadline);
  // Key=value pairs for the log when it stops: "listeners=3".
  [[nodiscard]] virtual std::string summary() const { return {}; }
  // True if some of its parts may still be busy at the end, such as a library's threads. The program then exits without
  // destroying anything.
  [[nodiscard]] virtual bool ends_at_once() const { return false; }

  // Gives up all rights but needs(), and logs those that are missing. Other threads keep theirs, but for system calls.
  base::result<> keep_capabilities();
  void filter_calls(async::task_group& tasks);

 private:
  friend int run(int argc, const char* const* argv, const std::function<std::unique_ptr<daemon>()>& make);
  bool filters_ = true;
};

// From the command line to the exit code; after os::catch_stop_signals().
int run(int argc, const char* const* argv, const std::function<std::unique_ptr<daemon>()>& make);

// The body of main.
template <class Daemon>
int run(int argc, const char* const* argv) {
  os::occupy_closed_streams();
  if (const auto enough = base::raise_descriptor_limit(); !enough)
    return report_failure(Daemon().info().name, enough.error().message());
  os::catch_stop_signals();
  return run(argc, argv, [] { return std::make_unique<Daemon>(); });
}

}  // namespace program
