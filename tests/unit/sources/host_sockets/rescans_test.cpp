#include "sources/host_sockets/rescans.hpp"

#include <gtest/gtest.h>

namespace host_sockets {
namespace {

using namespace std::chrono_literals;

const rescans::time_point start{std::chrono::hours(1)};

TEST(rescans, none_without_an_event) {
  rescans r;
  EXPECT_EQ(r.next(), std::nullopt);
  r.scan(start, false);
  EXPECT_EQ(r.next(), std::nullopt);
}

TEST(rescans, four_behind_an_event_at_growing_distance) {
  rescans r;
  r.scan(start, true);
  for (const auto due : {2ms, 20ms, 200ms, 2'000ms}) {
    EXPECT_EQ(r.next(), start + due);
    r.scan(start + due - 1ms, false);
    EXPECT_EQ(r.next(), start + due) << "another scan in between changes nothing";
    r.scan(start + due, false);
  }
  EXPECT_EQ(r.next(), std::nullopt);
}

TEST(rescans, a_late_scan_stands_for_those_before_and_an_event_begins_again) {
  rescans r;
  r.scan(start, true);
  r.scan(start + 30ms, false);
  EXPECT_EQ(r.next(), start + 200ms);
  r.scan(start + 100ms, true);
  EXPECT_EQ(r.next(), start + 102ms);
}

}  // namespace
}  // namespace host_sockets
