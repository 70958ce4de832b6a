#include "netstack/tcp/receiver.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {
namespace {

constexpr std::size_t most_unscaled = std::numeric_limits<std::uint16_t>::max();

std::uint8_t shift_for(std::size_t window) {
  std::uint8_t shift = 0;
  while (window >> shift > most_unscaled && shift < most_window_shift) ++shift;
  return shift;
}

}  // namespace

receiver::receiver(const limits& l)
    : window_(std::min(l.receive_window, l.most_receive_window)),
      most_segment_(l.most_segment),
      most_window_(l.most_receive_window),
      offered_shift_(shift_for(l.most_receive_window)) {}

void receiver::start(sequence first, bool scales, bool sack) {
  queue_.start(first);
  shift_ = scales ? offered_shift_ : std::uint8_t{0};
  if (!scales) most_window_ = std::min(most_window_, most_unscaled);
  window_ = std::min(window_, most_window_);
  sack_ = sack;
  edge_ = first + static_cast<std::uint32_t>(first_window());
}

std::uint16_t receiver::first_window() const { return static_cast<std::uint16_t>(std::min(window_, most_unscaled)); }

bool receiver::is_acceptable(const segment& s) const {
  const auto end = s.number + s.length();
  return s.number <= edge_ && (s.length() == 0 ? s.number >= next() : end > next());
}

void receiver::repeated(const segment& s) {
  if (!sack_ || s.payload.empty() || s.number >= queue_.next()) return;
  const auto before = static_cast<std::size_t>(queue_.next() - s.number);
  take_payload(s.number, s.payload.first(std::min(s.payload.size(), before)));
}

void receiver::take(const segment& s) {
  auto payload = s.payload;
  const auto room = edge_ - s.number;
  const bool whole = payload.size() <= static_cast<std::size_t>(room);
  if (!whole) payload = payload.first(static_cast<std::size_t>(room));
  if (s.flags.fin && whole && !fin_) fin_ = s.number + static_cast<std::uint32_t>(payload.size());
  if (fin_ && s.number + static_cast<std::uint32_t>(payload.size()) > *fin_)
    payload = payload.first(*fin_ > s.number ? static_cast<std::size_t>(*fin_ - s.number) : 0);
  if (!payload.empty()) take_payload(s.number, payload);
  if (s.length() > payload.size()) acknowledge();
  if (fin_ && *fin_ == queue_.next()) finished_ = true;
}

void receiver::take_payload(sequence at, bytes_view payload) {
  const auto result = queue_.add(at, payload);
  if (result == receive_queue::outcome::in_order)
    due_ = std::max(due_, 1U);
  else
    due_ = sack_ ? 1 : std::min(due_ + 1, most_due);
}

bool receiver::may_wait() const {
  return due_ == 1 && !is_urgent_ && !must_be_alone() && next() - acknowledged_ < static_cast<int>(most_segment_);
}

void receiver::consume(std::size_t bytes) {
  queue_.consume(bytes);
  const auto half = std::max<std::size_t>(window_ / 2, 1);
  const auto left = static_cast<std::size_t>(edge_ - queue_.next());
  const bool near = left <= window_ / 4;
  if (!finished_ && (gain() >= half || (near && gain() >= std::min(half, 2 * most_segment_)))) acknowledge();
}

void receiver::discard() {
  const auto bytes = static_cast<std::size_t>(queue_.next() - queue_.consumed());
  if (bytes > 0) consume(bytes);
}

// How far the edge could move.
std::size_t receiver::gain() const {
  const auto edge = queue_.consumed() + static_cast<std::uint32_t>(window_);
  return edge > edge_ ? static_cast<std::size_t>(edge - edge_) : 0;
}

void receiver::move_edge() {
  const auto step = std::clamp<std::size_t>(window_ / 2, 1, most_segment_);
  if (gain() >= step) edge_ = queue_.consumed() + static_cast<std::uint32_t>(window_);
}

void receiver::set_window(std::size_t bytes) { window_ = std::min(bytes, most_window_); }

void receiver::fill(segment& to, bool alone) {
  move_edge();
  to.flags.ack = true;
  to.acknowledged = next();
  const auto left = static_cast<std::size_t>(std::max(edge_ - next(), 0));
  to.window = static_cast<std::uint16_t>(std::min(left >> shift_, most_unscaled));
  if (alone && sack_) queue_.report(to.options);
  due_ = alone && due_ > 0 ? due_ - 1 : 0;
  acknowledged_ = next();
  is_urgent_ = false;
}

}  // namespace netstack::tcp
