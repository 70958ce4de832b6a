// impaired_path: one direction of a bad link, as tc-netem(8) makes one: frames are lost, doubled, damaged, delayed and
// overtake each other. It works where the kernel has no netem, and repeats itself from a seed. Pure: the time is passed
// in. One thread uses it.
//
// A frame leaves after `delay` and a random part of `jitter`; with jitter frames overtake each other. A reordered frame
// leaves at once. A damaged one has one other bit. At most `most_waiting` frames wait; more are lost, as in a router.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <vector>

namespace integration {

struct impairment {
  double loss = 0, duplication = 0, reordering = 0, corruption = 0;  // of the frames, 0 to 1
  std::chrono::microseconds delay{0}, jitter{0};

  [[nodiscard]] bool is_none() const { return *this == impairment(); }
  bool operator==(const impairment&) const = default;
};

class impaired_path {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using frame = std::vector<std::uint8_t>;
  static constexpr std::size_t most_waiting = 4'096;

  impaired_path(const impairment& how, std::uint32_t seed) : how_(how), random_(seed) {}

  void add(std::span<const std::uint8_t> bytes, time_point now);
  // The frames that leave by now, in their order. They stay valid until the next call.
  [[nodiscard]] std::span<const frame> take(time_point now);
  // When the next frame leaves; max() if none waits.
  [[nodiscard]] time_point due() const { return waiting_.empty() ? time_point::max() : waiting_.begin()->first; }
  [[nodiscard]] bool is_none() const { return how_.is_none(); }

 private:
  [[nodiscard]] bool happens(double share) { return share > 0 && chance_(random_) < share; }
  [[nodiscard]] time_point leaves(time_point now);

  impairment how_;
  std::mt19937 random_;
  std::uniform_real_distribution<> chance_{0, 1};
  std::multimap<time_point, frame> waiting_;  // frames of one time leave in the order in which they came
  std::vector<frame> taken_;
};

}  // namespace integration
