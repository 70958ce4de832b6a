#include "link/send_queue.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "link/framing.hpp"

namespace links {

send_queue::send_queue(std::size_t backlog) : most_kept_(backlog) {
  buffers_.reserve(most_buffers);
  frames_.reserve(most_buffers);
}

void send_queue::begin_turn() {
  buffers_.clear();
  frames_.clear();
  first_ = added_bytes_ = 0;
  has_kept_ = backlog() > 0;
  if (has_kept_) buffers_.push_back({kept_.data() + kept_sent_, backlog()});
}

bool send_queue::is_full() const {
  return buffers_.size() + 1 + most_parts > most_buffers || added_bytes_ >= enough_bytes;
}

void send_queue::add(const prefix& before, std::span<const bytes_view> parts) {
  auto& frame = frames_.emplace_back(queued_frame{.size = before.size, .before = before});
  buffers_.push_back({frame.before.bytes.data(), before.size});
  for (const auto part : parts) {
    if (part.empty()) continue;
    buffers_.push_back({const_cast<std::uint8_t*>(part.data()), part.size()});  // iovec has no const variant
    frame.size += part.size();
  }
  frame.end = buffers_.size();
  added_bytes_ += frame.size;
}

void send_queue::written(std::size_t count) {
  while (count > 0 && first_ < buffers_.size()) {
    auto& buffer = buffers_[first_];
    const auto taken = std::min(count, buffer.iov_len);
    buffer.iov_base = static_cast<std::uint8_t*>(buffer.iov_base) + taken;
    buffer.iov_len -= taken;
    count -= taken;
    if (first_ == 0 && has_kept_) kept_sent_ += taken;
    if (buffer.iov_len == 0) ++first_;
  }
}

std::size_t send_queue::unwritten(std::size_t from, std::size_t to) const {
  std::size_t bytes = 0;
  for (auto i = std::max(from, first_); i < to; ++i) bytes += buffers_[i].iov_len;
  return bytes;
}

void send_queue::keep(std::size_t from, std::size_t to) {
  for (auto i = std::max(from, first_); i < to; ++i) {
    const auto* bytes = static_cast<const std::uint8_t*>(buffers_[i].iov_base);
    kept_.insert(kept_.end(), bytes, bytes + buffers_[i].iov_len);
  }
}

// Written bytes stay at the front until they are more than half, so that a slow stream causes few moves.
void send_queue::drop_written_from_kept() {
  if (kept_sent_ <= kept_.size() / 2 && backlog() > 0) return;
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(kept_sent_));
  kept_sent_ = 0;
}

std::size_t send_queue::keep_rest() {
  std::size_t dropped = 0, begin = has_kept_ ? 1 : 0;
  drop_written_from_kept();
  for (const auto& frame : frames_) {
    const auto left = unwritten(begin, frame.end);
    const bool has_begun = left < frame.size;
    if (left > 0 && (has_begun || backlog() + left <= most_kept_))
      keep(begin, frame.end);
    else if (left > 0)
      ++dropped;
    begin = frame.end;
  }
  begin_turn();
  return dropped;
}

}  // namespace links
