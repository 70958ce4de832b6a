// read_file: reads a small file whose path came from outside: it may be large, or not a regular file.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.hpp"

namespace base {

struct read_limits {
  std::size_t bytes = 1 << 20;
  bool follow_links = true;  // of the last component of the path
};

// Fails for a fifo, a device or a directory, and for a larger file. Does not wait for a fifo or a device, but a file
// system behind a network or a user's program may block it. `directory`: where a relative path begins, as in
// openat(2).
[[nodiscard]] result<std::string> read_file(const std::string& path, read_limits limits = {}, int directory = -100);

}  // namespace base
