// The signals that end a program. They are caught from the first line of main on and kept until somebody asks, so that
// one that comes while the program still starts is a request to stop like any other.
#pragma once

#include "async/task.hpp"

namespace os {

// The first line of main. From now on SIGINT and SIGTERM are kept for stop_signal(), and SIGPIPE is ignored. Another
// SIGINT or SIGTERM, from a fifth of a second after the first one, ends the program at once with 128 + its number: what
// comes within that time is one request, of a supervisor that tells a process and its group.
void catch_stop_signals();

// Waits for the first SIGINT or SIGTERM since catch_stop_signals(), and answers which one it was.
async::task<int> stop_signal();

// From now on the program ends with `code` after `limit` at the latest, whatever hangs: also where a call into the
// kernel does not return and nothing runs on the control thread any more. It cannot be taken back.
void exit_after(async::clock::duration limit, int code);

}  // namespace os
