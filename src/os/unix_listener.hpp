// unix_listener: a listening UNIX stream socket at a path that only one program may hold. Mode 0600. The socket file of
// an instance that died is replaced, that of one that lives is not. Removes its file when it goes, if the file is still
// its own. No Asio: the owner waits on fd() as it likes.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {

class unix_listener {
 public:
  // In bytes. What a socket's address holds, less what stands behind the name while the socket is made.
  static constexpr std::size_t longest_path = 103;

  // Fails with address_in_use where somebody accepts at `path`, and where something else than a socket lies there. Two
  // programs that start at the same moment are told apart by "<path>.lock", a file of our own that is there while one
  // of them looks. Blocks for a moment where somebody accepts, who may be dying: 0.3 s, and a second at most for the
  // lock.
  static base::result<unix_listener> claim(const std::filesystem::path& path);

  unix_listener(unix_listener&&) noexcept = default;
  unix_listener& operator=(unix_listener&&) = delete;
  ~unix_listener();

  [[nodiscard]] int fd() const { return fd_.get(); }  // non-blocking, close-on-exec
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  static base::result<unix_listener> claim_once(const std::filesystem::path& path);
  unix_listener(base::unique_fd fd, std::filesystem::path path) : fd_(std::move(fd)), path_(std::move(path)) {}

  base::unique_fd fd_;
  std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace os
