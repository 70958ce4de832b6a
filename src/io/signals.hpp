// The signals that end a program.
#pragma once

#include "io/task.hpp"

namespace io {

// Waits for SIGINT or SIGTERM and answers which one. A second signal during the shutdown ends the program at once with
// 128 + its number. SIGPIPE is ignored from the first call on.
task<int> stop_signal();

}  // namespace io
