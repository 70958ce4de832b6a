// claimed_unix_path: a UNIX socket at a path that only one program may hold: a listening stream socket, or one that
// receives datagrams. Mode 0600. It replaces the socket file of a dead instance, never that of a live one. Its
// destructor removes the file, if the file is still its own. It does not wait: the owner waits on fd().
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {

class claimed_unix_path {
 public:
  // In bytes: the longest path of a socket's address, less the suffix of its first name.
  static constexpr std::size_t longest_path = 103;

  // Fails with address_in_use if a program accepts at `path`, and with file_exists if the file there is not a socket.
  // Of two programs that start at the same moment, "<path>.lock" lets one check at a time. Blocks for up to 0.3 s if a
  // program accepts, as it may be dying, and up to a second for the lock.
  static base::result<claimed_unix_path> claim(const std::filesystem::path& path);
  static base::result<claimed_unix_path> claim_datagrams(const std::filesystem::path& path);

  claimed_unix_path(claimed_unix_path&&) noexcept = default;
  claimed_unix_path& operator=(claimed_unix_path&&) = delete;
  ~claimed_unix_path();

  [[nodiscard]] int fd() const { return fd_.get(); }  // non-blocking, close-on-exec
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  static base::result<claimed_unix_path> claim_once(const std::filesystem::path& path, int type);
  static base::result<claimed_unix_path> claim_in_time(const std::filesystem::path& path, int type);
  base::result<> bind_at(const std::filesystem::path& path);
  base::result<> listen_at(const std::filesystem::path& path);
  explicit claimed_unix_path(base::unique_fd fd) : fd_(std::move(fd)) {}

  base::unique_fd fd_;
  std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace os
