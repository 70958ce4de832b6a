// frames: bytes for tests of links: patterns that differ by a seed, and streams of frames.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "link/framing.hpp"

namespace links {

using bytes = std::vector<std::uint8_t>;

inline bytes pattern(std::size_t size, std::uint32_t seed) {
  bytes made(size);
  for (auto& b : made) {
    seed = seed * 1664525U + 1013904223U;
    b = static_cast<std::uint8_t>(seed >> 24U);
  }
  return made;
}

inline void append(bytes& to, bytes_view more) { to.insert(to.end(), more.begin(), more.end()); }

inline void append_frame(bytes& to, framing how, bytes_view frame) {
  const auto before = make_prefix(how, frame.size() + (how == framing::virtio ? virtio_header_size : 0));
  append(to, std::span(before.bytes).first(before.size));
  if (how == framing::virtio) append(to, bytes(virtio_header_size));
  append(to, frame);
}

inline bytes copy(bytes_view from) { return {from.begin(), from.end()}; }

}  // namespace links
