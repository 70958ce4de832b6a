// signals: those that end a program. They are caught from the first line of main on and kept until stop_signal() is
// called, so one that arrives during start-up is a request to stop like any other.
#pragma once

#include "async/task.hpp"

namespace os {

// The first line of main. Keeps SIGINT and SIGTERM for stop_signal(), and ignores SIGPIPE. Another SIGINT or SIGTERM,
// later than 0.2 s after the first one, ends the program at once with 128 + its number. Signals within that time are
// one request: a supervisor may signal both a process and its group.
void catch_stop_signals();

// Waits for the first SIGINT or SIGTERM since catch_stop_signals(), and returns it.
async::task<int> stop_signal();

// Ends the program with `code` after `limit` at the latest, even if a system call does not return and the control
// thread hangs. It cannot be undone.
void exit_after(async::clock::duration limit, int code);

}  // namespace os
