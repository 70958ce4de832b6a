// standard_streams: standard output and standard error, which the user of a program may have left closed, full, or
// without a reader.
#pragma once

#include <string_view>

#include "async/task.hpp"
#include "base/result.hpp"

namespace os {

// The first line of main, before anything else opens a descriptor. A stream that is closed gets a descriptor that can
// neither be read nor written: the next file or socket would take its number, and get what is printed.
void occupy_closed_streams();

// Writes the text to standard output, or standard error, and flushes it. Fails if the stream is closed or full, or if
// its reader has gone (with SIGPIPE ignored).
[[nodiscard]] base::result<> print(std::string_view text);
[[nodiscard]] base::result<> print_error(std::string_view text);

// Returns when nothing can be printed to standard output any more: it is closed, or the reader of its pipe has gone.
// What a file or a full disk refuses, print() reports. The stream stays as it is: print() waits for a slow reader.
async::task<base::error> output_lost();

}  // namespace os
