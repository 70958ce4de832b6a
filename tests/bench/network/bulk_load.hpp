// What a network does with much data: TCP flows that send as much as they can, and UDP at a fixed rate.
#pragma once

#include "tests/bench/load/load.hpp"
#include "tests/bench/network/subject.hpp"

namespace bench {

struct bulk_figures {
  double gigabits = 0;       // a second, of payload that arrived
  double host_cpu = 0;       // seconds of the host's end, for each GB
  double both_cpu = 0;       // and of the VM's end
  double retransmitted = 0;  // by the client's kernel, in percent of its segments
};

// Counts after a warm-up, at the receiver. Throws if nothing arrives.
[[nodiscard]] bulk_figures bulk(const subject& s, way w, unsigned flows, duration length);

struct udp_figures {
  double lost = 0;      // in percent of what was sent
  double gigabits = 0;  // a second, of payload that arrived
};
// Datagrams of 1,400 bytes, 1 Gbit/s of them.
[[nodiscard]] udp_figures udp_at_one_gigabit(const subject& s, way w, duration length);

}  // namespace bench
