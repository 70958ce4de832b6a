#include "translator/frame_copies.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "netstack/bytes.hpp"

namespace translator {

netstack::bytes_span frame_copies::room(std::size_t size) {
  if (in_use_ == 0 || used_ + size > chunk_size) {
    if (in_use_ == chunks_.size()) chunks_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(chunk_size));
    ++in_use_;
    used_ = 0;
  }
  const netstack::bytes_span made(chunks_[in_use_ - 1].get() + used_, size);
  used_ += size;
  return made;
}

netstack::bytes_span frame_copies::add(netstack::bytes_view frame) {
  const auto made = room(frame.size());
  std::ranges::copy(frame, made.begin());
  return made;
}

void frame_copies::release() {
  in_use_ = used_ = 0;
  if (chunks_.size() > kept_chunks) chunks_.resize(kept_chunks);
}

}  // namespace translator
