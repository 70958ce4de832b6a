#include "sources/host_sockets/scan_budget.hpp"

#include <gtest/gtest.h>

namespace host_sockets {
namespace {

using namespace std::chrono_literals;

const scan_budget::time_point start{std::chrono::hours(1)};

// As early as it may; each scan changes nothing. When the next one is due.
scan_budget::time_point scan_in_vain(scan_budget& pace, int scans) {
  auto now = start;
  for (int i = 0; i < scans; ++i) {
    pace.scan(now, 0ms);
    pace.note_result(false);
    now = pace.next(now, 0ms);
  }
  return now;
}

TEST(scan_budget, at_once_after_quiet) {
  scan_budget pace;
  pace.scan(start, 5ms);
  EXPECT_EQ(pace.next(start + 1s, 7ms), start + 1s);
}

TEST(scan_budget, never_twice_within_two_milliseconds) {
  scan_budget pace;
  pace.scan(start, 0ms);
  EXPECT_EQ(pace.next(start + 100us, 0ms), start + 2ms);
}

TEST(scan_budget, a_burst_is_paid_from_what_was_saved) {
  scan_budget pace;
  pace.scan(start, 0ms);
  for (int i = 1; i <= 9; ++i) {
    EXPECT_EQ(pace.next(start + i * 10ms, i * 10ms), start + i * 10ms) << i;
    pace.scan(start + i * 10ms, i * 10ms);
  }
  EXPECT_GT(pace.next(start + 200ms, 200ms), start + 200ms);
}

TEST(scan_budget, in_the_long_run_a_tenth) {
  scan_budget pace;
  scan_budget::duration used{};
  auto now = start;
  pace.scan(now, used);
  int looks = 0;
  for (; now < start + 100s; ++looks) {
    used += 5ms;  // of each look, and what follows from it
    now = pace.next(now + 5ms, used);
    pace.scan(now, used);
  }
  EXPECT_LE(used, 10s + 100ms + 5ms);
  EXPECT_GE(looks, 1900);
}

TEST(scan_budget, never_waits_longer_than_half_a_second) {
  scan_budget pace;
  pace.scan(start, 0s);
  EXPECT_EQ(pace.next(start + 10ms, 60s), start + 500ms);
  pace.scan(start + 500ms, 60s);
  EXPECT_EQ(pace.next(start + 3s, 60s), start + 3s) << "what was overdrawn is forgotten soon";
}

// An engine that starts a container of a thousand ports, each with sockets of its own.
TEST(scan_budget, looks_that_change_nothing_become_rare_in_a_burst) {
  scan_budget pace;
  int looks = 0;
  auto now = start;
  pace.scan(now, 0ms);
  for (auto event = start; event < start + 100s; event += 50ms) {
    if (event < now) continue;
    now = pace.next(event, 0ms);
    pace.scan(now, 0ms);
    pace.note_result(false);
    ++looks;
  }
  EXPECT_LE(looks, 220);
  EXPECT_GE(looks, 180) << "and none is later than half a second";
}

TEST(scan_budget, a_change_ends_the_gap_at_once) {
  scan_budget pace;
  auto now = scan_in_vain(pace, 50);
  EXPECT_EQ(now - start, 4 * 2ms + (4 + 8 + 16 + 32 + 64 + 128 + 256) * 1ms + 39 * 500ms);
  pace.scan(now, 0ms);
  pace.note_result(true);
  EXPECT_EQ(pace.next(now, 0ms), now + 2ms);
}

TEST(scan_budget, a_second_without_a_look_ends_the_gap) {
  scan_budget pace;
  auto now = scan_in_vain(pace, 50);
  now += 1s;
  EXPECT_EQ(pace.next(now, 0ms), now) << "what happens first is seen at once";
  for (int i = 0; i < 3; ++i) {  // and so is what the kernel lists a moment later
    pace.scan(now, 0ms);
    pace.note_result(false);
    EXPECT_EQ(pace.next(now, 0ms), now + 2ms);
    now += 2ms;
  }
}

}  // namespace
}  // namespace host_sockets
