// backoff: how long to wait before the next try. Doubles from `first` up to `cap`, each delay shortened at random by up
// to `jitter` of itself so that many retries spread out. Pure: the caller passes the randomness in.
#pragma once

#include <chrono>
#include <cstdint>

namespace base {

struct backoff {
  std::chrono::milliseconds first{50};
  std::chrono::milliseconds cap{1000};
  double jitter = 0.2;  // 0 none … 1 down to nothing

  // The delay after `failures` failures in a row (1 = the first one). `random` is any 32 random bits.
  [[nodiscard]] std::chrono::milliseconds delay(unsigned failures, std::uint32_t random) const;
};

}  // namespace base
