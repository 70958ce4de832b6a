#include "netstack/tcp/receive_queue.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "netstack/bytes.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {
namespace {

std::uint32_t length(bytes_view view) { return static_cast<std::uint32_t>(view.size()); }

}  // namespace

receive_queue::outcome receive_queue::add(sequence at, bytes_view payload) {
  const auto end = at + length(payload);
  if (at < next_) {
    duplicate_ = interval{at, end <= next_ ? end : next_};
    if (end <= next_) return outcome::duplicate;
    payload = payload.subspan(static_cast<std::size_t>(next_ - at));
    at = next_;
  }
  return at == next_ ? append(payload) : store_out_of_order(at, payload);
}

receive_queue::outcome receive_queue::append(bytes_view payload) {
  slices_.push_back(payload);
  next_ += length(payload);
  while (!intervals_.empty() && intervals_.front().begin <= next_) {
    if (intervals_.front().end > next_) append_from_ring(intervals_.front().end);
    intervals_.erase(intervals_.begin());
  }
  if (intervals_.empty()) recents_ = 0;
  return outcome::in_order;
}

void receive_queue::append_from_ring(sequence end) {
  for (const bytes_view slice : std::as_const(ring_).slices(next_, static_cast<std::size_t>(end - next_)))
    if (!slice.empty()) slices_.push_back(slice);
  next_ = end;
}

receive_queue::outcome receive_queue::store_out_of_order(sequence at, bytes_view payload) {
  const auto end = at + length(payload);
  // The intervals that touch the payload merge with it.
  const auto from = std::ranges::find_if(intervals_, [&](const interval& i) { return i.end >= at; });
  const auto to = std::find_if(from, intervals_.end(), [&](const interval& i) { return i.begin > end; });
  if (from == to && intervals_.size() >= most_intervals) return outcome::dropped;
  if (from != to && from->begin <= at && end <= from->end) {
    duplicate_ = interval{at, end};
    remember(at);
    return outcome::duplicate;
  }
  reserve(end);
  ring_.store(at, payload);
  remember(at);
  if (from == to) {
    intervals_.insert(from, {at, end});
    return outcome::out_of_order;
  }
  from->begin = std::min(from->begin, at);
  from->end = std::max(std::prev(to)->end, end);
  intervals_.erase(std::next(from), to);
  return outcome::out_of_order;
}

void receive_queue::consume(std::size_t bytes) {
  consumed_ += static_cast<std::uint32_t>(bytes);
  while (bytes > 0) {
    auto& front = slices_[first_];
    const auto taken = std::min(bytes, front.size());
    front = front.subspan(taken);
    bytes -= taken;
    if (front.empty()) ++first_;
  }
  if (first_ < slices_.size()) return;
  slices_.clear();
  first_ = 0;
  if (!has_hole() && ring_.capacity() <= byte_ring::smallest) ring_.release();
}

void receive_queue::keep() {
  if (consumed_ == next_) return;
  if (std::ranges::all_of(arrived(), [&](bytes_view slice) { return ring_.holds(slice); })) return;
  reserve(next_);
  auto at = consumed_;
  for (const bytes_view slice : arrived()) {
    if (!ring_.holds(slice)) ring_.store(at, slice);
    at += length(slice);
  }
  slices_.clear();
  first_ = 0;
  const auto end = next_;
  next_ = consumed_;
  append_from_ring(end);
}

// Makes the ring hold everything from consumed_ to `end`. Its content stays, and slices of it follow it.
void receive_queue::reserve(sequence end) {
  const auto needed = static_cast<std::size_t>(end - consumed_);
  if (needed <= ring_.capacity()) return;
  std::vector<bool> held;
  for (const bytes_view slice : arrived()) held.push_back(ring_.holds(slice));
  ring_.grow(needed, consumed_, ring_.capacity());
  auto at = consumed_;
  for (std::size_t i = first_; i < slices_.size(); ++i) {
    auto& slice = slices_[i];
    const auto size = length(slice);
    if (held[i - first_]) slice = std::as_const(ring_).slices(at, size)[0];
    at += size;
  }
}

void receive_queue::clear() {
  slices_ = std::vector<bytes_view>();
  first_ = 0;
  intervals_ = std::vector<interval>();
  recents_ = 0;
  duplicate_.reset();
  consumed_ = next_;
  ring_.release();
}

void receive_queue::forget_out_of_order() {
  intervals_ = std::vector<interval>();
  recents_ = 0;
}

void receive_queue::trim() {
  if (consumed_ == next_ && !has_hole()) {
    ring_.release();
    slices_ = std::vector<bytes_view>();
    first_ = 0;
  }
  if (!has_hole()) intervals_ = std::vector<interval>();
}

void receive_queue::remember(sequence at) {
  recents_ = std::min(recents_ + 1, most_sack_blocks);
  std::shift_right(recent_.begin(), recent_.end(), 1);
  recent_[0] = at;
}

void receive_queue::report(options& to) {
  to.sack_blocks = 0;
  if (duplicate_) to.sack[to.sack_blocks++] = *duplicate_;
  duplicate_.reset();
  for (const auto at : std::span(recent_).first(recents_)) {
    const auto found = std::ranges::find_if(intervals_, [&](const interval& i) { return i.begin <= at && at < i.end; });
    if (found != intervals_.end()) add_block(to, *found);
  }
  for (const auto& i : std::span(intervals_).first(std::min(intervals_.size(), most_sack_blocks))) add_block(to, i);
}

void receive_queue::add_block(options& to, interval block) const {
  const auto so_far = std::span(to.sack).first(to.sack_blocks);
  if (to.sack_blocks == most_sack_blocks || std::ranges::find(so_far, block) != so_far.end()) return;
  to.sack[to.sack_blocks++] = block;
}

std::size_t receive_queue::memory() const {
  return ring_.capacity() + slices_.capacity() * sizeof(bytes_view) + intervals_.capacity() * sizeof(interval);
}

}  // namespace netstack::tcp
