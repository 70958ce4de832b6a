// link_counters: the traffic of one link since it was opened. Read by its owner's thread.
#pragma once

#include <cstdint>

namespace links {

struct link_counters {
  std::uint64_t frames_in = 0, bytes_in = 0;    // without prefixes
  std::uint64_t frames_out = 0, bytes_out = 0;  // accepted for sending
  std::uint64_t reads = 0, writes = 0;          // system calls
  std::uint64_t dropped = 0;                    // the peer does not read, and the backlog is full
  std::uint64_t oversized = 0;                  // longer than the link's framing allows
  std::uint64_t strangers = 0;                  // datagrams from senders other than the peer
};

}  // namespace links
