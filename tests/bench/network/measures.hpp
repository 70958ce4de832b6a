// What is measured of each subject.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/load/load.hpp"
#include "tests/bench/network/subject.hpp"
#include "tests/bench/network/table.hpp"

namespace bench {

// The names of the lines, which the goals look up.
namespace lines {
[[nodiscard]] std::string tcp(way w, unsigned flows);
[[nodiscard]] std::string cpu(direction d);
[[nodiscard]] std::string connections(direction d);
[[nodiscard]] std::string round_trip(direction d);
[[nodiscard]] std::string udp_lost(direction d);
inline constexpr const char *retransmitted = "TCP out, 64 flows, % retransmitted",
                            *peak_memory = "memory, peak under load, MB",
                            *idle_memory = "memory, an idle connection, KB",
                            *growth = "memory, growth by short connections, MB",
                            *idle_wakeups = "wake-ups/s, 2,000 idle", *stuck_wakeups = "wake-ups/s, 300 flows stuck";
}  // namespace lines

// One run gives a figure for each line.
struct measure {
  std::vector<line> of;
  std::function<std::vector<double>(const subject& s, duration length)> run;
};

// Those that take turns between the subjects, several rounds of them.
[[nodiscard]] std::vector<measure> traffic_measures();
// Of a subject that has carried the traffic of the others; no load of its own.
[[nodiscard]] measure peak_memory();
// Each of a subject that has just been started.
[[nodiscard]] std::vector<measure> fresh_measures();

}  // namespace bench
