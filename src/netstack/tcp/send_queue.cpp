#include "netstack/tcp/send_queue.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "netstack/bytes.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {
namespace {

constexpr std::size_t growth = 4;

}  // namespace

std::array<bytes_span, 2> send_queue::room(sequence sent, bool may_grow) {
  may_grow_ = may_grow;
  if (may_grow && was_full_ && sent >= end_) {
    wanted_ = std::min(wanted_ * growth, limit_);
    was_full_ = false;
  }
  ring_.grow(std::min(may_grow ? wanted_ : byte_ring::smallest, limit_), begin_, size());
  return ring_.slices(end_, std::min(ring_.capacity(), limit_) - size());
}

bool send_queue::has_room(sequence sent) const {
  const auto capacity = std::min(ring_.capacity(), limit_);
  return size() <= capacity - capacity / 4 || (may_grow_ && was_full_ && sent >= end_ && capacity < limit_);
}

void send_queue::written(std::size_t bytes) {
  end_ += static_cast<std::uint32_t>(bytes);
  was_full_ = was_full_ || size() >= std::min(ring_.capacity(), limit_);
  release_if_small();
}

void send_queue::acknowledged(sequence end) {
  begin_ = end;
  release_if_small();
}

void send_queue::clear() {
  begin_ = end_;
  ring_.release();
}

void send_queue::trim() {
  if (size() > 0) return;
  ring_.release();
  wanted_ = byte_ring::smallest;
  was_full_ = false;
}

void send_queue::release_if_small() {
  if (size() == 0 && ring_.capacity() <= byte_ring::smallest) ring_.release();
}

}  // namespace netstack::tcp
