// refused_call: runs a function on a thread to which the kernel refuses one system call, like an older kernel or a
// stricter sandbox.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <array>
#include <cstddef>
#include <functional>
#include <thread>

namespace support {

struct refused_call {
  unsigned number;        // of the system call
  unsigned argument;      // refused if this argument,
  std::uint32_t value;    // as 32 bits, has this value
  unsigned error_number;  // the error that it then returns
};

// False: the kernel rejects the filter, and `body` has not run.
inline bool run_without(const refused_call& call, const std::function<void()>& body) {
  bool filtered = false;
  std::thread([&] {
    const auto low_half = static_cast<unsigned>(offsetof(seccomp_data, args) + 8 * call.argument);
    std::array<sock_filter, 6> steps{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call.number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low_half),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call.value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | call.error_number),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog program{steps.size(), steps.data()};
    filtered =
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    if (filtered) body();
  }).join();
  return filtered;
}

}  // namespace support
