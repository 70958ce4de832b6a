// lock_file: lets one program at a time do something. A file of our own, mode 0600, held by flock(2): only its owner
// can open it, so only its owner can hold it. Never lock a directory that others can open: any user may flock /run, and
// would keep the program from starting.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {

class lock_file {
 public:
  enum class at_end : std::uint8_t { keep, remove };

  // Creates the file if it is missing, and locks it. Blocks up to `limit`: a program that a killed instance was about
  // to start holds its lock until it has been executed. Errors: operation_would_block if another process holds the
  // lock; permission_denied if the file is a link, or not a plain file of this user alone.
  static base::result<lock_file> claim(std::filesystem::path path, at_end then, std::chrono::milliseconds limit);

  // Removes the files "<prefix>*.lock" in the directory that nothing holds: a killed program leaves its own. Best
  // effort.
  static void remove_unheld(const std::filesystem::path& directory, std::string_view prefix);

  lock_file(lock_file&&) noexcept = default;
  lock_file& operator=(lock_file&&) = delete;
  ~lock_file();

 private:
  lock_file(std::filesystem::path path, at_end then, base::unique_fd fd)
      : path_(std::move(path)), then_(then), fd_(std::move(fd)) {}

  std::filesystem::path path_;
  at_end then_;
  base::unique_fd fd_;
};

}  // namespace os
