#include "kernel/bpf/memory_limit.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <functional>

#include "base/log.hpp"

namespace bpf {
namespace {

// Only CAP_SYS_RESOURCE raises the hard limit, see let_memory_limit_rise().
bool raise(const rlimit& from) {
  rlimit wanted{RLIM_INFINITY, RLIM_INFINITY};
  if (from.rlim_cur == RLIM_INFINITY) return false;
  if (::setrlimit(RLIMIT_MEMLOCK, &wanted) == 0) return true;
  wanted = {from.rlim_max, from.rlim_max};
  return from.rlim_cur != from.rlim_max && ::setrlimit(RLIMIT_MEMLOCK, &wanted) == 0;
}

}  // namespace

void let_memory_limit_rise() {
  rlimit now{};
  if (::getrlimit(RLIMIT_MEMLOCK, &now) != 0) return;
  now.rlim_max = RLIM_INFINITY;
  ::setrlimit(RLIMIT_MEMLOCK, &now);
}

int with_more_memory(const std::function<int()>& work) {
  const int made = work();
  rlimit before{};
  if (made >= 0 || errno != EPERM || ::getrlimit(RLIMIT_MEMLOCK, &before) != 0) return made;
  if (!raise(before)) {
    errno = EPERM;
    return made;
  }
  const int again = work();
  if (again >= 0) {
    base::log::info("listeners", "the limit of locked memory is raised, which this kernel counts BPF programs against");
    return again;
  }
  // A raised hard limit can be lowered again without rights.
  const int why = errno;
  ::setrlimit(RLIMIT_MEMLOCK, &before);
  errno = why;
  return again;
}

}  // namespace bpf
