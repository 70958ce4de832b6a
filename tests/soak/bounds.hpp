// bounds: how much more than at first a program may use, and how much it may log. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace soak {

struct reading {
  std::size_t resident_bytes = 0, descriptors = 0, threads = 0;
};

// What is too much of a program that holds this many ports now.
[[nodiscard]] std::vector<std::string> beyond_bounds(const reading& first, const reading& now, std::size_t ports);
// Of a log that grew by so many bytes in this time, with so many operations in it.
[[nodiscard]] bool grows_too_fast(std::size_t bytes, std::chrono::milliseconds time, std::size_t operations);

}  // namespace soak
