#include "netstack/tcp/send_queue.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "netstack/bytes.hpp"
#include "netstack/tcp/byte_ring.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {
namespace {

constexpr std::size_t factor = 4;

}  // namespace

std::array<bytes_span, 2> send_queue::room(sequence sent, const growth& how) {
  how_ = {.allowed = how.allowed, .most = std::clamp(how.most, std::min(byte_ring::smallest, limit_), limit_)};
  if (how_.allowed && was_full_ && sent >= end_) {
    wanted_ = std::min(wanted_ * factor, limit_);
    was_full_ = false;
  }
  ring_.grow(how_.allowed ? std::min(wanted_, how_.most) : std::min(byte_ring::smallest, limit_), begin_, size());
  return ring_.slices(end_, usable() - std::min(usable(), size()));
}

std::size_t send_queue::usable() const { return std::min(ring_.capacity(), how_.most); }

bool send_queue::has_room(sequence sent) const {
  const auto capacity = usable();
  return size() <= capacity - capacity / 4 || (how_.allowed && was_full_ && sent >= end_ && capacity < how_.most);
}

void send_queue::written(std::size_t bytes) {
  end_ += static_cast<std::uint32_t>(bytes);
  was_full_ = was_full_ || size() >= usable();
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
