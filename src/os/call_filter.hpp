// call_filter: the system calls that a program may still make, see seccomp(2). A call that is not in the list fails
// with ENOSYS, as in a kernel that does not have it, and ends nothing: a new C library falls back to an older call.
//
// A refused call of this program itself also raises SIGSYS, so that refused_call() can name it. Programs that this one
// starts inherit the filter and not the handler of the signal: their calls fail without one.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"

namespace os {

struct allowed_calls {
  std::vector<std::uint32_t> numbers;  // SYS_read …, in any order
  bool processes = false;              // clone() may make processes, and not only threads
};

// Where the instructions of a program lie: from `begin` up to `end`.
struct code_range {
  std::uint64_t begin = 0, end = 0;
};

// The filter's program. A refused call from `reported` raises SIGSYS; if that range is empty, or not within 4 GiB of
// one another, none does. Pure.
[[nodiscard]] std::vector<sock_filter> make_call_filter(const allowed_calls& allowed, const code_range& reported);

// The code that makes this program's system calls: its own if it is static, else that of the C library.
[[nodiscard]] code_range calling_code();

// Puts up the filter for all threads, for good, and catches SIGSYS. Sets no_new_privs first, as the kernel demands. No
// thread may block SIGSYS: the kernel kills one that does at its first refused call, see catch_stop_signals(). After an
// error no filter is up.
[[nodiscard]] base::result<> filter_calls(const allowed_calls& allowed);

// Waits until the filter refuses a call of this program that it has not refused before, and returns its number. For one
// task, after filter_calls(). Cancelled: throws operation_aborted.
async::task<int> refused_call();

}  // namespace os
