// frame_copies: frames between VMs that had to be changed on the way; they stay until all links have written. Owned by
// link_ports; loop thread only. Bound: what the links read in one turn, and the headers of cut segments.
//
// Frames are stored one after the other in chunks. kept_chunks stay for the next turn, so that few frames allocate
// nothing.
#pragma once

#include <memory>
#include <vector>

#include "netstack/bytes.hpp"

namespace translator {

class frame_copies {
 public:
  [[nodiscard]] netstack::bytes_span add(netstack::bytes_view frame);
  // For a frame that the caller writes.
  [[nodiscard]] netstack::bytes_span room(std::size_t size);
  void release();

 private:
  static constexpr std::size_t chunk_size = std::size_t{128} << 10U;  // holds the largest frame
  static constexpr std::size_t kept_chunks = 4;

  std::vector<std::unique_ptr<std::uint8_t[]>> chunks_;
  std::size_t in_use_ = 0;  // chunks
  std::size_t used_ = 0;    // bytes in the last one
};

}  // namespace translator
