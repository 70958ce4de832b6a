#include "netstack/stack/timer_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

#include "netstack/time_point.hpp"

namespace netstack {

void timer_queue::set(std::uint32_t owner, time_point when) {
  if (owner >= places_.size()) {
    if (when == time_point::max()) return;
    places_.resize(owner + 1, absent);
  }
  const auto at = places_[owner];
  if (at == absent) {
    if (when == time_point::max()) return;
    heap_.emplace_back();
    sift_up(heap_.size() - 1, {when, owner});
    return;
  }
  if (when == time_point::max()) return remove_at(at);
  const auto before = heap_[at].when;
  if (when < before) sift_up(at, {when, owner});
  if (when > before) sift_down(at, {when, owner});
}

std::optional<std::uint32_t> timer_queue::take_due(time_point now) {
  if (heap_.empty() || heap_.front().when > now) return std::nullopt;
  const auto owner = heap_.front().owner;
  remove_at(0);
  return owner;
}

void timer_queue::put(std::size_t at, const entry& e) {
  heap_[at] = e;
  places_[e.owner] = at;
}

void timer_queue::sift_up(std::size_t at, const entry& e) {
  while (at > 0 && e.when < heap_[(at - 1) / 2].when) {
    put(at, heap_[(at - 1) / 2]);
    at = (at - 1) / 2;
  }
  put(at, e);
}

void timer_queue::sift_down(std::size_t at, const entry& e) {
  while (2 * at + 1 < heap_.size()) {
    auto child = 2 * at + 1;
    if (child + 1 < heap_.size() && heap_[child + 1].when < heap_[child].when) ++child;
    if (e.when <= heap_[child].when) break;
    put(at, heap_[child]);
    at = child;
  }
  put(at, e);
}

void timer_queue::remove_at(std::size_t at) {
  places_[heap_[at].owner] = absent;
  const auto last = heap_.back();
  heap_.pop_back();
  if (at == heap_.size()) return;
  const bool up = at > 0 && last.when < heap_[(at - 1) / 2].when;
  up ? sift_up(at, last) : sift_down(at, last);
}

}  // namespace netstack
