// timer_queue: one time for each of many numbered owners. Owned by tcp_flows.
//
// Theory of operation: a binary heap that also knows the place of each owner, so that a changed time costs O(log n) and
// no stale entry wakes the process. An owner whose time is max() is not in the heap: idle flows cost nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/time_point.hpp"

namespace netstack {

class timer_queue {
 public:
  void set(std::uint32_t owner, time_point when);
  void cancel(std::uint32_t owner) { set(owner, time_point::max()); }
  [[nodiscard]] time_point earliest() const { return heap_.empty() ? time_point::max() : heap_.front().when; }
  // Removes the owner with the earliest time. nullopt: none is due.
  std::optional<std::uint32_t> take_due(time_point now);

 private:
  static constexpr std::size_t absent = SIZE_MAX;
  struct entry {
    time_point when;
    std::uint32_t owner = 0;
  };

  void put(std::size_t at, const entry& e);
  void sift_up(std::size_t at, const entry& e);
  void sift_down(std::size_t at, const entry& e);
  void remove_at(std::size_t at);

  std::vector<entry> heap_;
  std::vector<std::size_t> places_;  // index: the owner
};

}  // namespace netstack
