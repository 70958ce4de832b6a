// link_counters: what crossed one link since it began. Read by its owner's thread.
#pragma once

#include <cstdint>

namespace links {

struct link_counters {
  std::uint64_t frames_in = 0, bytes_in = 0;    // frames without prefixes
  std::uint64_t frames_out = 0, bytes_out = 0;  // taken for sending
  std::uint64_t reads = 0, writes = 0;          // system calls
  std::uint64_t dropped = 0;                    // the peer does not read, and the backlog is full
  std::uint64_t oversized = 0;                  // longer than the link's framing allows
  std::uint64_t strangers = 0;                  // datagrams of others than the peer
};

}  // namespace links
