// The time that the netstack's code takes as an argument: steady, so neither a suspend nor a clock change ends
// anything.
#pragma once

#include <chrono>

namespace netstack {

using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

inline constexpr time_point never = time_point::max();

}  // namespace netstack
