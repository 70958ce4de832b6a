// The signals that end a program.
#pragma once

#include "io/task.hpp"

namespace io {

// Waits for SIGINT or SIGTERM and answers which one. A second signal during the shutdown ends the program at once with
// 128 + its number. SIGPIPE is ignored from the first call on.
task<int> stop_signal();

// From now on the program ends with `code` after `limit` at the latest, whatever hangs: also where a call into the
// kernel does not return and nothing runs on the control thread any more. It cannot be taken back.
void exit_after(clock::duration limit, int code);

}  // namespace io
