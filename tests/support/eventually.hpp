// eventually: waits for a condition by asking again and again until a deadline; what a test does instead of sleeping.
#pragma once

#include <chrono>
#include <thread>

namespace support {

using clock = std::chrono::steady_clock;

// True as soon as `holds()` is, false if it is not by the deadline. It is asked at least once.
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
