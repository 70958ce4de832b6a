// eventually: checks a condition repeatedly until a deadline. Tests use it instead of sleeping.
#pragma once

#include <chrono>
#include <thread>

namespace support {

using clock = std::chrono::steady_clock;

// True as soon as `holds()` is, false at the deadline. The last check begins at the deadline or later: one that takes
// long, on a busy machine, says what was there before.
template <class Condition>
bool eventually(std::chrono::milliseconds limit, Condition&& holds) {
  const auto deadline = clock::now() + limit;
  while (true) {
    const bool last = clock::now() >= deadline;
    if (holds()) return true;
    if (last) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace support
