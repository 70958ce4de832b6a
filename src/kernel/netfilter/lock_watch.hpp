// lock_watch: tells when a program of iptables-legacy has ended. Each takes a lock on a file for as long as it works,
// and the kernel announces nothing else of what it does. A program that only lists takes the lock, too.
#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "os/inotify.hpp"

namespace netfilter {

class lock_watch {
 public:
  // The file need not be there yet, its directory must. Fails where inotify is not to be had.
  static base::result<lock_watch> open(const async::executor& where, std::filesystem::path file = "/run/xtables.lock");

  // Returns at the first end of a program since the last call, or when the file has come. Cancelled: throws
  // operation_aborted.
  async::task<> changed();

 private:
  lock_watch(os::inotify kernel, std::filesystem::path file);
  void arm();

  os::inotify kernel_;
  std::filesystem::path file_;
  int lock_ = -1;  // the watch of the file itself; -1: it is not there
};

}  // namespace netfilter
