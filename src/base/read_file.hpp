// read_file: a whole small file, of which it is not certain that it is one: somebody else named it.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.hpp"

namespace base {

struct read_limits {
  std::size_t bytes = 1 << 20;
  bool follow_links = true;  // of the last component of the path
};

// Fails for what is no regular file (a fifo, a device, a directory) and for what is larger. Does not wait for a fifo or
// a device; a file system behind a network or a user's program may well make it wait. `directory`: where a relative
// path begins, as in openat(2).
[[nodiscard]] result<std::string> read_file(const std::string& path, read_limits limits = {}, int directory = -100);

}  // namespace base
