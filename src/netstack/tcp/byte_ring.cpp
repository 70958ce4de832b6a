#include "netstack/tcp/byte_ring.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include "netstack/bytes.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {

std::array<bytes_span, 2> byte_ring::slices(sequence at, std::size_t size) {
  if (size == 0) return {};
  const auto from = offset(at);
  const auto before_end = std::min(size, capacity_ - from);
  return {bytes_span(memory_.get() + from, before_end), bytes_span(memory_.get(), size - before_end)};
}

std::array<bytes_view, 2> byte_ring::slices(sequence at, std::size_t size) const {
  if (size == 0) return {};
  const auto from = offset(at);
  const auto before_end = std::min(size, capacity_ - from);
  return {bytes_view(memory_.get() + from, before_end), bytes_view(memory_.get(), size - before_end)};
}

void byte_ring::store(sequence at, bytes_view from) {
  for (const auto to : slices(at, from.size())) {
    if (to.empty()) continue;
    std::memcpy(to.data(), from.data(), to.size());
    from = from.subspan(to.size());
  }
}

bool byte_ring::holds(bytes_view slice) const {
  const auto* begin = memory_.get();
  return begin != nullptr && !std::less<>{}(slice.data(), begin) && std::less<>{}(slice.data(), begin + capacity_);
}

void byte_ring::grow(std::size_t capacity, sequence first, std::size_t size) {
  if (capacity <= capacity_) return;
  byte_ring larger;
  larger.capacity_ = std::bit_ceil(std::max(capacity, smallest));
  larger.memory_ = std::make_unique_for_overwrite<std::uint8_t[]>(larger.capacity_);
  for (const bytes_view old : slices(first, size)) {
    larger.store(first, old);
    first += static_cast<std::uint32_t>(old.size());
  }
  *this = std::move(larger);
}

void byte_ring::release() { *this = {}; }

}  // namespace netstack::tcp
