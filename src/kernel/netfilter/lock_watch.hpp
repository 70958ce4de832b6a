// lock_watch: notices when a program of iptables-legacy has exited. Each one holds a lock on a file while it runs, and
// the kernel announces nothing else about it. A program that only lists takes the lock too.
#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "os/inotify.hpp"

namespace netfilter {

class lock_watch {
 public:
  // The directory must exist, the file need not. Fails if inotify is not available.
  static base::result<lock_watch> open(const async::executor& where, std::filesystem::path file = "/run/xtables.lock");

  // Returns at the first exit of a program since the last call, or when the file was created. Cancelled: throws
  // operation_aborted.
  async::task<> changed();

 private:
  lock_watch(os::inotify kernel, std::filesystem::path file);
  void arm();

  os::inotify kernel_;
  std::filesystem::path file_;
  int lock_ = -1;  // the watch of the file itself; -1: there is no file
};

}  // namespace netfilter
