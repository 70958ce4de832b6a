// lock_file: says that one program at a time does something. A file of our own, 0600, held by flock(2): nobody but the
// owner can open it, so nobody else can hold it. A directory that others can open is never locked: any user of the
// machine may flock /run, and would keep the program from starting.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {

class lock_file {
 public:
  enum class at_end : std::uint8_t { keep, remove };

  // Creates the file where it is missing and locks it, within `limit`: a program that a killed instance was about to
  // start holds its lock until it has been executed. Blocks meanwhile. Errors: operation_would_block where another
  // process holds it; permission_denied where what is there is not a plain file of this user's alone, or is a link.
  static base::result<lock_file> claim(std::filesystem::path path, at_end then, std::chrono::milliseconds limit);

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
