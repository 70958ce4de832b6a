// raw_bytes: messages of the kernel as a test writes them: values one after the other, as they are in memory.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace raw_bytes {

using bytes = std::vector<std::byte>;

template <class T>
bytes raw(const T& value) {
  const auto view = std::as_bytes(std::span(&value, 1));
  return {view.begin(), view.end()};
}
inline bytes operator+(bytes a, const bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace raw_bytes
