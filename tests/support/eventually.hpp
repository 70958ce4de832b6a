// eventually: checks a condition repeatedly until a deadline. Tests use it instead of sleeping.
#pragma once

#include <chrono>
#include <thread>

namespace support {

using clock = std::chrono::steady_clock;

// True as soon as `holds()` is, false at the deadline. Checks at least once.
template <class Condition>
bool eventually(std::chrono::milliseconds limit, Condition&& holds) {
  const auto deadline = clock::now() + limit;
  while (!holds()) {
    if (clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace support
