// child_program: a program that this one starts and owns: it inherits stdin, stdout and stderr, and the given
// descriptors. Unless it is to survive, it ends with its owner: the destructor kills it, and so does the kernel if this
// program is killed. What it has started and left behind in its process group ends with it. Control thread only, which
// must be the main thread: the kernel's signal follows it.
#pragma once

#include <sys/types.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <string>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"

namespace os {

struct child_request {
  std::vector<std::string> argv;                   // argv[0] is looked up in PATH
  std::vector<std::string> environment{};          // "NAME=value", before this program's
  std::vector<std::pair<int, int>> descriptors{};  // ours, and its number in the child: from 3 on, ascending
  int net_namespace = -1;                          // a descriptor of the namespace to start in; -1: this one's
  bool survives = false;                           // it continues when this program ends, however it ends
};

class child_program {
 public:
  // Fails with the number of the call that failed, for instance no_such_file_or_directory.
  static base::result<child_program> start(const async::executor& where, const child_request& request);

  child_program(child_program&& other) noexcept;
  child_program& operator=(child_program&&) = delete;
  ~child_program();

  [[nodiscard]] pid_t pid() const { return pid_; }  // -1 once ended() has returned
  // Returns its exit code, or 128 + the number of the signal that ended it. Cancelled: throws operation_aborted.
  async::task<int> ended();
  // Does nothing once ended() has returned.
  void send_signal(int number) const;
  // SIGTERM, and SIGKILL at the deadline.
  async::task<> stop(async::clock::time_point deadline);

 private:
  child_program(const async::executor& where, pid_t pid, int pidfd, bool survives);
  void end_group() const;

  pid_t pid_ = -1;  // -1: reaped
  int code_ = 0;
  bool survives_ = false;
  async::asio::posix::stream_descriptor exit_;  // a pidfd
};

}  // namespace os
