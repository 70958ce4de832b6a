#include "sources/host_sockets/look_pace.hpp"

#include <gtest/gtest.h>

namespace host_sockets {
namespace {

using namespace std::chrono_literals;

const look_pace::time_point start{std::chrono::hours(1)};

TEST(LookPace, AtOnceAfterQuiet) {
  look_pace pace;
  pace.look(start, 5ms);
  EXPECT_EQ(pace.next(start + 1s, 7ms), start + 1s);
}

TEST(LookPace, NeverTwiceWithinTwoMilliseconds) {
  look_pace pace;
  pace.look(start, 0ms);
  EXPECT_EQ(pace.next(start + 100us, 0ms), start + 2ms);
}

TEST(LookPace, ABurstIsPaidFromWhatWasSaved) {
  look_pace pace;
  pace.look(start, 0ms);
  for (int i = 1; i <= 9; ++i) {
    EXPECT_EQ(pace.next(start + i * 10ms, i * 10ms), start + i * 10ms) << i;
    pace.look(start + i * 10ms, i * 10ms);
  }
  EXPECT_GT(pace.next(start + 200ms, 200ms), start + 200ms);
}

TEST(LookPace, InTheLongRunATenth) {
  look_pace pace;
  look_pace::duration used{};
  auto now = start;
  pace.look(now, used);
  int looks = 0;
  for (; now < start + 100s; ++looks) {
    used += 5ms;  // of each look, and what follows from it
    now = pace.next(now + 5ms, used);
    pace.look(now, used);
  }
  EXPECT_LE(used, 10s + 100ms + 5ms);
  EXPECT_GE(looks, 1900);
}

TEST(LookPace, NeverWaitsLongerThanHalfASecond) {
  look_pace pace;
  pace.look(start, 0s);
  EXPECT_EQ(pace.next(start + 10ms, 60s), start + 500ms);
  pace.look(start + 500ms, 60s);
  EXPECT_EQ(pace.next(start + 3s, 60s), start + 3s) << "what was overdrawn is forgotten soon";
}

// An engine that starts a container of a thousand ports, each with sockets of its own.
TEST(LookPace, LooksThatChangeNothingBecomeRareInABurst) {
  look_pace pace;
  int looks = 0;
  auto now = start;
  pace.look(now, 0ms);
  for (auto event = start; event < start + 100s; event += 50ms) {
    if (event < now) continue;
    now = pace.next(event, 0ms);
    pace.look(now, 0ms);
    pace.note_result(false);
    ++looks;
  }
  EXPECT_LE(looks, 220);
  EXPECT_GE(looks, 180) << "and none is later than half a second";
}

TEST(LookPace, AChangeEndsTheGapAtOnce) {
  look_pace pace;
  auto now = start;
  for (int i = 0; i < 50; ++i) {
    pace.look(now, 0ms);
    pace.note_result(false);
    now = pace.next(now, 0ms);
  }
  EXPECT_EQ(now - start, 4 * 2ms + (4 + 8 + 16 + 32 + 64 + 128 + 256) * 1ms + 39 * 500ms);
  pace.look(now, 0ms);
  pace.note_result(true);
  EXPECT_EQ(pace.next(now, 0ms), now + 2ms);
}

TEST(LookPace, ASecondWithoutALookEndsTheGap) {
  look_pace pace;
  auto now = start;
  for (int i = 0; i < 50; ++i) {
    pace.look(now, 0ms);
    pace.note_result(false);
    now = pace.next(now, 0ms);
  }
  now += 1s;
  EXPECT_EQ(pace.next(now, 0ms), now) << "what happens first is seen at once";
  for (int i = 0; i < 3; ++i) {  // and so is what the kernel lists a moment later
    pace.look(now, 0ms);
    pace.note_result(false);
    EXPECT_EQ(pace.next(now, 0ms), now + 2ms);
    now += 2ms;
  }
}

}  // namespace
}  // namespace host_sockets
