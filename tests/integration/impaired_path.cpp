#include "tests/integration/impaired_path.hpp"

#include <utility>

namespace integration {

impaired_path::time_point impaired_path::leaves(time_point now) {
  if (happens(how_.reordering)) return now;
  const auto part = std::chrono::duration<double, std::micro>(how_.jitter) * chance_(random_);
  return now + how_.delay + std::chrono::duration_cast<std::chrono::microseconds>(part);
}

void impaired_path::add(std::span<const std::uint8_t> bytes, time_point now) {
  const int copies = happens(how_.duplication) ? 2 : 1;
  for (int i = 0; i < copies && waiting_.size() < most_waiting; ++i) {
    if (happens(how_.loss)) continue;
    frame one(bytes.begin(), bytes.end());
    if (!one.empty() && happens(how_.corruption))
      one[random_() % one.size()] ^= static_cast<std::uint8_t>(1U << random_() % 8);
    waiting_.emplace(leaves(now), std::move(one));
  }
}

std::span<const impaired_path::frame> impaired_path::take(time_point now) {
  taken_.clear();
  while (due() <= now) {
    taken_.push_back(std::move(waiting_.begin()->second));
    waiting_.erase(waiting_.begin());
  }
  return taken_;
}

}  // namespace integration
