// memory_limit: before Linux 5.11 the kernel counts BPF maps and programs as locked memory of the user, all processes
// together, and refuses them beyond RLIMIT_MEMLOCK, often 64 KiB. Later kernels count them in the control group.
#pragma once

#include <functional>

namespace bpf {

// Lifts the hard limit of locked memory, for with_more_memory() after CAP_SYS_RESOURCE is given up. The limit itself
// stays. Without that right nothing changes.
void let_memory_limit_rise();

// Calls `work`, which makes a map or a program and returns a descriptor, or -1 and errno. If the kernel refuses it with
// EPERM, calls it once more with the process's limit raised as far as its rights allow. Where that helps, the limit
// stays, and the log says so; otherwise the old one returns, and the error is that of `work`.
int with_more_memory(const std::function<int()>& work);

}  // namespace bpf
