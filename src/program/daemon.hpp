// daemon: a program that runs until it is told to stop, and the frame around it, run(). What these programs have alike
// is in the frame and nowhere else, so that none can do it otherwise:
//
//   signals   kept from the first line of main on; SIGTERM or SIGINT stops it with 0, within five seconds whatever
//             hangs; a second one ends it at once
//   flags     its own, and -debug, -logfile, -version, -h
//   codes     0, 1 or 2, see command_line.hpp; why it does not start is one line on stderr
//   log       "ready version=…" with what it serves, "stopping signal=…" with what it still had
//
// A daemon is made for one run, in this order, on the control thread: declare, check, open, start, and, once a signal
// has come, shut_down. It goes before the io_context does.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "async/task_group.hpp"
#include "base/result.hpp"
#include "os/signals.hpp"
#include "program/command_line.hpp"

namespace program {

class daemon {
 public:
  virtual ~daemon() = default;

  [[nodiscard]] virtual about what() const = 0;
  // The file of its log where -logfile is not given; empty: stderr.
  [[nodiscard]] virtual std::string log_file() const { return {}; }

  // Its flags, which fill members of it.
  virtual void declare(program::flag_set& flags) = 0;
  // The command line is right flag by flag. Is it right as a whole? An error ends the program with 2.
  virtual base::result<> check(const command_line&) { return {}; }
  // Opens what it cannot be without: its socket, its configuration. An error ends the program with 1.
  virtual base::result<> open(const async::executor& where) = 0;
  // Starts its work. Answers what the log says of it: "socket=/run/x.sock".
  virtual std::string start(async::task_group& tasks) = 0;
  // Asked to stop. What has to be done while the tasks still run, by the deadline; then they are cancelled.
  virtual async::task<> shut_down(async::clock::time_point deadline);
  // For the log, when it is asked to stop: "listeners=3".
  [[nodiscard]] virtual std::string summary() const { return {}; }
  // What it consists of may be busy still when all is done, a library's threads for instance: the program then ends
  // without destroying anything.
  [[nodiscard]] virtual bool ends_at_once() const { return false; }
};

// From the command line to the exit code; after os::catch_stop_signals().
int run(int argc, const char* const* argv, const std::function<std::unique_ptr<daemon>()>& make);

// What main consists of.
template <class Daemon>
int run(int argc, const char* const* argv) {
  os::catch_stop_signals();
  return run(argc, argv, [] { return std::make_unique<Daemon>(); });
}

}  // namespace program
