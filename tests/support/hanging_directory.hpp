// hanging_directory: a directory on a file system that never answers, like that of a dead server. Access to it blocks
// until release(), and fails afterwards. It is mounted in a mount namespace of the test program, and goes with the
// program.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>

#include "base/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

namespace support {

class hanging_directory {
 public:
  hanging_directory() : fuse_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)) {
    const auto options = fmt::format("fd={},rootmode=40000,user_id=0,group_id=0", fuse_.get());
    mounted_ = fuse_ && ::unshare(CLONE_NEWNS) == 0 &&
               ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("hanging", path().c_str(), "fuse", 0, options.c_str()) == 0;
  }
  hanging_directory(const hanging_directory&) = delete;
  hanging_directory& operator=(const hanging_directory&) = delete;
  ~hanging_directory() {
    release();
    if (mounted_) ::umount2(path().c_str(), MNT_DETACH);
  }

  [[nodiscard]] bool there() const { return mounted_; }  // false: not root, or no FUSE
  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }
  void release() { fuse_.reset(); }

 private:
  temp_dir directory_;
  base::unique_fd fuse_;
  bool mounted_ = false;
};

}  // namespace support
