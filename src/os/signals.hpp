// signals: those that end a program, and SIGUSR1, a request to a running one. They are caught from the first line of
// main on and kept until a task waits for them, so one that arrives during start-up is a request like any other.
#pragma once

#include <chrono>

#include "async/task.hpp"

namespace os {

// At the beginning of main, before there are threads. Keeps SIGINT and SIGTERM for stop_signal() and SIGUSR1 for
// user_signal(), ignores SIGPIPE and SIGXFSZ, and unblocks SIGSYS for filter_calls(): a supervisor may have blocked it.
// A program that never calls user_signal() ignores SIGUSR1. Another SIGINT or SIGTERM, later than 0.2 s after the first
// one, ends the program at once with 128 + its number. Signals within that time are one request: a supervisor may
// signal both a process and its group.
//
// The program ends with 0 at the latest `limit` after the first one, whatever its other threads wait for, such as a log
// that is a full pipe or a disk that hangs: a thread sees to that, which waits for signals alone. Throws
// std::system_error if the program lacks descriptors or threads.
void catch_stop_signals(std::chrono::milliseconds limit = std::chrono::milliseconds(4'900));

// Waits for the first SIGINT or SIGTERM since catch_stop_signals(), and returns it.
async::task<int> stop_signal();

// Waits for the next SIGUSR1; each is reported to one task, once. Cancelled: throws operation_aborted.
async::task<> user_signal();

// Ends the program with `code` after `limit` at the latest, even if a system call does not return and the control
// thread hangs. It cannot be undone.
void exit_after(async::clock::duration limit, int code);

}  // namespace os
