#include "netstack/tcp/sack_scoreboard.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {
namespace {

constexpr unsigned most_reordering = 64;

// Transmissions are counted modulo 2^32.
bool is_before(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

}  // namespace

void sack_scoreboard::sent(sequence begin, sequence end, time_point now) {
  records_.push_back({.begin = begin, .end = end, .order = ++orders_, .sent = now});
  in_flight_ += records_.back().size();
}

sack_scoreboard::report sack_scoreboard::acknowledged(sequence to, std::span<const sack_block> blocks, time_point now) {
  report r;
  if (!blocks.empty())
    r.duplicate = blocks[0].end <= to ||
                  (blocks.size() > 1 && blocks[1].begin <= blocks[0].begin && blocks[0].end <= blocks[1].end);
  remove_before(to, r, now);
  // In ascending order: a block below another one of the same segment was not overtaken.
  std::array<sack_block, most_sack_blocks> sorted{};
  const auto last = std::ranges::copy(blocks.first(std::min(blocks.size(), sorted.size())), sorted.begin()).out;
  std::sort(sorted.begin(), last, [](const sack_block& a, const sack_block& b) { return a.begin < b.begin; });
  for (auto block = sorted.begin(); block != last; ++block)
    if (block->begin < block->end && !empty() && under_way().front().begin <= block->begin &&
        block->end <= records_.back().end)
      mark_delivered(*block, r, now);
  return r;
}

sack_scoreboard::place sack_scoreboard::find(sequence at) {
  return std::lower_bound(records_.begin() + static_cast<std::ptrdiff_t>(first_), records_.end(), at,
                          [](const transmission& t, sequence s) { return t.end <= s; });
}

void sack_scoreboard::cut(place at, sequence where) {
  auto rest = *at;
  rest.begin = where;
  at->end = where;
  if (rest.delivered) ++delivered_;
  records_.insert(std::next(at), rest);
}

void sack_scoreboard::remove_before(sequence to, report& r, time_point now) {
  while (!empty() && records_[first_].begin < to) {
    auto& t = records_[first_];
    if (t.end > to) {
      if (!t.delivered && !t.lost) in_flight_ -= static_cast<std::size_t>(to - t.begin);
      if (t.lost) lost_ -= static_cast<std::size_t>(to - t.begin);
      t.begin = to;
      break;
    }
    deliver(t, r, now);
    --delivered_;
    ++first_;
  }
  if (!highest_delivered_ || *highest_delivered_ < to) highest_delivered_ = to;
  if (empty()) {
    records_.clear();
    first_ = 0;
    next_check_ = never;
  } else if (first_ > records_.size() / 2) {
    records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void sack_scoreboard::mark_delivered(const sack_block& block, report& r, time_point now) {
  auto at = find(block.begin);
  if (at->begin < block.begin && records() < most_records && !at->delivered) {
    const auto index = at - records_.begin();
    cut(at, block.begin);
    at = records_.begin() + index;
  }
  if (at->begin < block.begin) ++at;
  for (; at != records_.end() && at->begin < block.end; ++at) {
    if (at->end > block.end) {
      if (at->delivered || records() >= most_records) return;
      const auto index = at - records_.begin();
      cut(at, block.end);
      at = records_.begin() + index;
    }
    deliver(*at, r, now);
  }
}

void sack_scoreboard::deliver(transmission& t, report& r, time_point now) {
  if (t.delivered) return;
  t.delivered = true;
  ++delivered_;
  r.delivered += t.size();
  (t.lost ? lost_ : in_flight_) -= t.size();
  t.lost = false;
  note_place(t);
  if (newest_order_ != 0 && is_before(t.order, newest_order_)) return;
  const auto round_trip = now - t.sent;
  // An answer sooner than a round trip may acknowledge the first transmission.
  if (t.repeated && round_trip < newest_round_trip_ / 2) return;
  newest_order_ = t.order;
  newest_round_trip_ = round_trip;
  if (!t.repeated) r.round_trip = round_trip;
}

// An overtaken segment that arrives without a repetition shows that the path reorders.
void sack_scoreboard::note_place(const transmission& t) {
  const bool furthest = !highest_delivered_ || *highest_delivered_ <= t.end;
  if (furthest)
    highest_delivered_ = t.end;
  else if (!t.repeated)
    reordering_ = std::max(reordering_, 1U);
}

duration sack_scoreboard::patience(const round_trips& measured, bool repairing) const {
  const auto shortest = measured.shortest;
  if (reordering_ == 0 && (repairing || delivered_ >= duplicate_threshold)) return duration::zero();
  if (shortest == duration::max()) return duration::zero();
  return std::min(shortest / 4 * std::max(reordering_, 1U), std::max(measured.smoothed, shortest));
}

bool sack_scoreboard::find_losses(time_point now, const round_trips& measured, bool repairing) {
  next_check_ = never;
  if (newest_order_ == 0) return false;
  bool found = false;
  const auto wait = newest_round_trip_ + patience(measured, repairing);
  for (auto& t : under_way()) {
    if (t.delivered || t.lost || !is_before(t.order, newest_order_)) continue;
    if (t.sent + wait <= now) {
      lose(t);
      found = true;
    } else {
      next_check_ = std::min(next_check_, t.sent + wait);
    }
  }
  return found;
}

void sack_scoreboard::lose(transmission& t) {
  if (t.delivered || t.lost) return;
  t.lost = true;
  in_flight_ -= t.size();
  lost_ += t.size();
}

void sack_scoreboard::lose_first() {
  if (!empty()) lose(under_way().front());
}

void sack_scoreboard::lose_all() {
  // A peer acknowledges a first segment that it has: this one dropped bytes that it had reported (RFC 2018, 8).
  const bool reneged = !empty() && under_way().front().delivered;
  for (auto& t : under_way()) {
    if (reneged && t.delivered) {
      t.delivered = false;
      --delivered_;
      in_flight_ += t.size();
    }
    lose(t);
  }
  next_check_ = never;
}

void sack_scoreboard::lose_larger(std::size_t bytes) {
  for (auto& t : under_way())
    if (t.size() > bytes) lose(t);
}

void sack_scoreboard::forget_reordering() { reordering_ = std::min(reordering_, 1U); }
void sack_scoreboard::tolerate_reordering() { reordering_ = std::clamp(2 * reordering_, 2U, most_reordering); }

const sack_scoreboard::transmission* sack_scoreboard::first_lost() const {
  if (lost_ == 0) return nullptr;
  const auto found = std::find_if(records_.begin() + static_cast<std::ptrdiff_t>(first_), records_.end(),
                                  [](const transmission& t) { return t.lost; });
  return found == records_.end() ? nullptr : &*found;
}

void sack_scoreboard::sent_again(sequence begin, std::uint32_t bytes, time_point now) {
  auto at = find(begin);
  if (bytes < at->size()) {
    const auto index = at - records_.begin();
    cut(at, begin + bytes);
    at = records_.begin() + index;
  }
  if (at->lost) {
    lost_ -= at->size();
    in_flight_ += at->size();
  }
  at->lost = false;
  at->repeated = true;
  at->order = ++orders_;
  at->sent = now;
}

void sack_scoreboard::clear() {
  records_.clear();
  first_ = in_flight_ = lost_ = delivered_ = 0;
  next_check_ = never;
}

void sack_scoreboard::trim() {
  if (empty()) records_ = std::vector<transmission>();  // an empty list would keep its memory
}

}  // namespace netstack::tcp
