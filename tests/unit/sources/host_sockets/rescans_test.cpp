#include "sources/host_sockets/rescans.hpp"

#include <gtest/gtest.h>

namespace host_sockets {
namespace {

using namespace std::chrono_literals;

const rescans::time_point start{std::chrono::hours(1)};

TEST(Rescans, NoneWithoutAnEvent) {
  rescans r;
  EXPECT_EQ(r.next(), std::nullopt);
  r.scan(start, false);
  EXPECT_EQ(r.next(), std::nullopt);
}

TEST(Rescans, FourBehindAnEventAtGrowingDistance) {
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

TEST(Rescans, ALateScanStandsForThoseBeforeAndAnEventBeginsAgain) {
  rescans r;
  r.scan(start, true);
  r.scan(start + 30ms, false);
  EXPECT_EQ(r.next(), start + 200ms);
  r.scan(start + 100ms, true);
  EXPECT_EQ(r.next(), start + 102ms);
}

}  // namespace
}  // namespace host_sockets
