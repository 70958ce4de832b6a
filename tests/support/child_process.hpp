// child_process: a program that a test starts, optionally in other namespaces, with its output in a file. It does not
// survive the test: the destructor kills it, and the kernel does if the test program itself is killed.
//
// Start it from the main thread: the kernel's parent-death signal follows the thread that forked.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/unit_rights.hpp"

namespace support {

struct child_options {
  std::vector<std::string> argv;           // argv[0] is looked up in PATH
  std::vector<std::string> environment{};  // "NAME=value", in addition to the test's own
  std::filesystem::path log{};             // stdout and stderr are appended; empty: /dev/null
  std::filesystem::path stdin_file{};      // empty: /dev/null
  std::string net_namespace{};             // a path for setns(2); empty: the test's own
  std::string mount_namespace{};
  std::string pid_namespace{};
  uid_t user = 0;                       // other users have no capabilities and no groups
  std::optional<unit_rights> rights{};  // of a program that root starts; nothing: all of the test's
};

class child_process {
 public:
  child_process() = default;
  // Throws std::runtime_error if it cannot fork; a program that cannot be executed exits with 127.
  explicit child_process(const child_options& options);
  child_process(child_process&& other) noexcept;
  child_process& operator=(child_process&& other) noexcept;
  ~child_process() { kill9(); }

  [[nodiscard]] pid_t pid() const { return pid_; }  // in the test's own pid namespace; -1: none, or ended
  [[nodiscard]] bool running();
  // SIGTERM, and SIGKILL at the deadline. The exit code, 128 + signal if a signal ended it; nullopt if it took SIGKILL.
  std::optional<int> stop(std::chrono::milliseconds limit = std::chrono::seconds(10));
  void kill9();
  // The exit code, as from stop(); nullopt if it still runs at the deadline.
  std::optional<int> wait(std::chrono::milliseconds limit);
  void signal(int number) const;

 private:
  bool reap(int flags);
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

struct command_output {
  int exit_code = -1;  // -1: not ended by the deadline, and killed
  std::string text;    // stdout and stderr
};
// Runs a program to its end. `options.log` is not used.
command_output run_command(child_options options, std::chrono::milliseconds limit = std::chrono::seconds(30));
// The same for a program that must succeed: throws std::runtime_error with its output otherwise.
std::string run_or_throw(child_options options, std::chrono::milliseconds limit = std::chrono::seconds(30));

[[nodiscard]] std::string read_text(const std::filesystem::path& file);  // "" if it does not exist

}  // namespace support
