#include "os/namespaces.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <functional>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {

base::result<base::unique_fd> net_namespace_of(pid_t process) {
  const auto path = "/proc/" + std::to_string(process) + "/ns/net";
  base::unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno("network namespace of process " + std::to_string(process));
  return fd;
}

base::result<base::unique_fd> make_net_namespace() {
  base::result<base::unique_fd> made;
  std::thread([&made] {
    if (::unshare(CLONE_NEWNET) != 0) {
      made = base::fail_errno("make a network namespace");
      return;
    }
    made = base::unique_fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!*made) made = base::fail_errno("open the network namespace");
  }).join();
  return made;
}

bool is_same_namespace(int a, int b) {
  struct stat first{}, second{};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_ino == second.st_ino &&
         first.st_dev == second.st_dev;
}

base::result<> in_net_namespace(int net_namespace, const std::function<base::result<>()>& work) {
  base::result<> done;
  std::thread([&] {
    if (::setns(net_namespace, CLONE_NEWNET) != 0)
      done = base::fail_errno("enter the network namespace");
    else
      done = work();
  }).join();
  return done;
}

}  // namespace os
