// A link between two TCP ends in simulated time: segments are lost, doubled, delayed and so reordered, by a seed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <queue>
#include <random>
#include <vector>

#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {

// A segment that owns its payload, which is one slice or two on its way out.
struct carried {
  segment header;
  std::vector<std::uint8_t> payload;

  carried() = default;
  explicit carried(const segment& s) : header(s), payload(s.payload.begin(), s.payload.end()) { header.payload = {}; }
  explicit carried(const outgoing& o) : header(o.header) {
    for (const auto part : o.payload) payload.insert(payload.end(), part.begin(), part.end());
  }
  // Valid as long as this object is.
  [[nodiscard]] segment view() const {
    auto s = header;
    s.payload = payload;
    return s;
  }
};

struct link_quality {
  double loss = 0;
  double duplication = 0;
  duration delay = std::chrono::microseconds(50);
  std::uint64_t drops = 0;  // the number of one segment that is lost, from 1
  duration jitter{};        // at most this is added: more than the distance of two segments reorders them
  duration spacing{};       // between two segments: the rate of the link
  double reordering = 0;    // this part comes late by `late`
  duration late{};
};

class random_link {
 public:
  // A segment that was sent, and whether it is lost.
  using observer = std::function<void(const carried&, time_point, bool lost)>;

  random_link(std::uint64_t seed, link_quality q) : random_(seed), quality_(q) {}

  void send(carried c, time_point now) {
    ++sent_;
    const bool lost = sent_ == quality_.drops || chance(quality_.loss);
    if (watch) watch(c, now, lost);
    if (lost) return;
    if (chance(quality_.duplication)) push(c, now);
    push(std::move(c), now);
  }
  [[nodiscard]] time_point next() const { return queue_.empty() ? never : queue_.top().at; }
  // What arrives at `now` or before.
  [[nodiscard]] std::vector<carried> arrivals(time_point now) {
    std::vector<carried> made;
    for (; !queue_.empty() && queue_.top().at <= now; queue_.pop()) made.push_back(queue_.top().what);
    return made;
  }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

  observer watch;

 private:
  struct entry {
    time_point at;
    std::uint64_t order;
    carried what;
    bool operator>(const entry& o) const { return at != o.at ? at > o.at : order > o.order; }
  };

  bool chance(double p) { return p > 0 && std::uniform_real_distribution<>(0, 1)(random_) < p; }
  void push(carried c, time_point now) {
    const auto more = quality_.jitter > duration::zero()
                          ? duration(std::uniform_int_distribution<duration::rep>(0, quality_.jitter.count())(random_))
                          : duration::zero();
    free_ = std::max(free_, now) + quality_.spacing;
    const auto late = chance(quality_.reordering) ? quality_.late : duration::zero();
    queue_.push({free_ + quality_.delay + more + late, ++order_, std::move(c)});
  }

  std::mt19937_64 random_;
  link_quality quality_;
  std::priority_queue<entry, std::vector<entry>, std::greater<>> queue_;
  time_point free_ = time_point::min();  // when the last segment is through
  std::uint64_t order_ = 0;
  std::uint64_t sent_ = 0;
};

// The byte at `at` of a stream: not periodic in any size of a segment or a ring.
inline std::uint8_t stream_byte(std::uint64_t stream, std::uint64_t at) {
  auto x = (at + 1) * 0x9e37'79b9'7f4a'7c15U ^ stream;
  x ^= x >> 29U;
  return static_cast<std::uint8_t>(x * 0xbf58'476d'1ce4'e5b9U >> 56U);
}

}  // namespace netstack::tcp
