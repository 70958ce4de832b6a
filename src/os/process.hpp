// process: runs a program by its argument vector, without a shell and with a deadline. It inherits stdin, stdout and
// stderr alone.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"

namespace os {

struct process_request {
  std::vector<std::string> argv;        // argv[0] is looked up in PATH
  std::string input;                    // what the program reads on stdin
  std::size_t output_limit = 64 << 20;  // bytes of stdout and of stderr each; more is an error
};

struct process_output {
  pid_t pid = -1;     // to recognise the process in other sources
  int exit_code = 0;  // 128 + the signal's number if a signal ended it
  std::string out;
  std::string err;
};

// Fails if the program cannot be started (ENOENT …), prints more than the limit, or does not end before the deadline;
// it is killed then. An exit code other than 0 is not a failure here. Ignore SIGPIPE first, as catch_stop_signals()
// does: the program may not read its input.
async::task<base::result<process_output>> run_process(process_request request, async::clock::duration limit);

}  // namespace os
