#include "netstack/stack/packet_queue.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "net/mac_address.hpp"
#include "netstack/bytes.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/frame.hpp"

namespace netstack {

bytes_span packet_queue::begin(std::size_t size) {
  if (chunks_.empty() || chunks_.back().used + size > chunk_size) {
    if (chunks_.size() >= most_chunks_ || size > chunk_size) return {};
    if (free_.empty()) {
      chunks_.push_back({.bytes = std::make_unique_for_overwrite<std::uint8_t[]>(chunk_size)});
    } else {
      chunks_.push_back(std::move(free_.back()));
      free_.pop_back();
    }
  }
  auto& last = chunks_.back();
  return begun_ = bytes_span(last.bytes.get() + last.used, size);
}

void packet_queue::add(const net::mac_address& destination, link_id link) {
  waiting_.push_back({.bytes = begun_, .destination = destination, .link = link});
  chunks_.back().used += begun_.size();
  ++chunks_.back().frames;
}

bool packet_queue::take(frame_out& to) {
  if (empty()) return false;
  const auto& first = waiting_[next_++];
  to = {.parts = {first.bytes, {}, {}},
        .size = first.bytes.size(),
        .destination = first.destination,
        .link = first.link,
        .how = {}};
  return true;
}

void packet_queue::release_taken() {
  if (next_ == 0) return;
  std::size_t ended = 0;  // chunks
  for (auto left = next_; left > 0 && ended < chunks_.size();) {
    auto& oldest = chunks_[ended];
    const auto released = std::min(left, oldest.frames);
    oldest.frames -= released;
    left -= released;
    if (oldest.frames == 0) ++ended;
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(next_));
  next_ = 0;
  for (std::size_t i = 0; i < ended; ++i) {
    chunks_[i].used = 0;
    if (free_.size() < kept_chunks) free_.push_back(std::move(chunks_[i]));
  }
  chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(ended));
}

}  // namespace netstack
