// What a network keeps, and how often it wakes up, while its connections do nothing.
#pragma once

#include "tests/bench/load/load.hpp"
#include "tests/bench/network/subject.hpp"

namespace bench {

struct idle_figures {
  double fresh_megabytes = 0;  // resident, before the first load
  double idle_kilobytes = 0;   // for each of 2,000 idle connections
  double idle_wakeups = 0;     // a second, with these
  double stuck_wakeups = 0;    // a second, with 300 flows: half-closed, at a zero window, reset
};

// Of the host's end of a subject that has just been started.
[[nodiscard]] idle_figures idle(const subject& s);

struct growth_figures {
  double after = 0;        // megabytes resident, after 30,000 short connections
  double megabytes = 0;    // by how much it grew over these
  double connections = 0;  // how many of these were made, within two minutes
};
// The same, of another fresh one: what an idle connection leaves behind counts for nothing here.
[[nodiscard]] growth_figures growth_by_short_connections(const subject& s);

}  // namespace bench
