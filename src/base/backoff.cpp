#include "base/backoff.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ratio>

namespace base {

std::chrono::milliseconds backoff::delay(unsigned failures, std::uint32_t random) const {
  if (failures == 0) return std::chrono::milliseconds{0};
  const unsigned doublings = std::min(failures - 1, 30U);
  const auto grown = std::chrono::duration<double, std::milli>(first) * static_cast<double>(1ULL << doublings);
  const auto capped = std::min(grown, std::chrono::duration<double, std::milli>(cap));
  const double shortened = 1.0 - jitter * (static_cast<double>(random) / 4294967296.0);
  return std::chrono::duration_cast<std::chrono::milliseconds>(capped * shortened);
}

}  // namespace base
