#include "base/episode.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "tests/support/temp_dir.hpp"

namespace base::log {
namespace {

using namespace std::chrono_literals;

class episode_test : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(set_file(path_)); }
  std::string written() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  auto lines() const { return std::ranges::count(written(), '\n'); }
  support::temp_dir directory_;
  std::string path_ = directory_ / "log";
  const steady_time start_{1000h};
};

TEST_F(episode_test, logs_the_begin_and_the_end_once) {
  episode watching("net", "cannot watch");
  watching.note({}, start_);
  EXPECT_EQ(written(), "");
  for (int i = 0; i < 100; ++i) watching.note(fail("denied"), start_ + i * 1s);
  EXPECT_TRUE(watching.active());
  EXPECT_EQ(lines(), 1);
  EXPECT_NE(written().find("WARN net: cannot watch, retrying reason=\"denied\""), std::string::npos) << written();
  for (int i = 0; i < 3; ++i) watching.note({}, start_ + 120s);
  EXPECT_FALSE(watching.active());
  EXPECT_EQ(lines(), 2);
  EXPECT_NE(written().find("INFO net: cannot watch ended after=120s"), std::string::npos) << written();
}

TEST_F(episode_test, logs_a_new_reason_at_most_once_a_minute) {
  episode watching("net", "cannot watch");
  for (int i = 0; i < 180; ++i) watching.note(fail(i % 2 == 0 ? "denied" : "busy"), start_ + i * 1s);
  EXPECT_EQ(lines(), 3);
}

TEST_F(episode_test, logs_a_reason_that_changed_once_and_lasts) {
  episode watching("net", "cannot watch");
  for (int i = 0; i < 180; ++i) watching.note(fail(i < 5 ? "missing" : "denied"), start_ + i * 1s);
  EXPECT_EQ(lines(), 2);
  EXPECT_TRUE(written().ends_with(" reason=\"denied\"\n")) << written();
}

TEST_F(episode_test, that_begins_again_soon_is_counted) {
  episode watching("net", "cannot watch");
  for (int i = 0; i < 100; ++i) {
    watching.note(fail("denied"), start_ + i * 100ms);
    watching.note({}, start_ + i * 100ms + 50ms);
  }
  EXPECT_EQ(lines(), 2) << "one in ten seconds, and its end";
  watching.note(fail("denied"), start_ + 60s);
  EXPECT_EQ(lines(), 3);
  EXPECT_TRUE(written().ends_with(" again=99\n")) << written();
}

TEST_F(episode_test, that_begins_again_soon_and_lasts_is_logged) {
  episode watching("net", "cannot watch");
  watching.note(fail("denied"), start_);
  watching.note({}, start_ + 1s);
  watching.note(fail("denied"), start_ + 2s);
  EXPECT_EQ(lines(), 2);
  watching.note(fail("denied"), start_ + 11s);
  EXPECT_EQ(lines(), 3);
  watching.note({}, start_ + 12s);
  EXPECT_EQ(lines(), 4);
  EXPECT_TRUE(written().ends_with(" ended after=10s\n")) << written();
}

TEST(throttle, logs_the_first_and_counts_the_rest) {
  const steady_time start{1000h};
  throttle limit(10s);
  EXPECT_EQ(limit.admit(start), 0U);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(limit.admit(start + 1s), std::nullopt);
  EXPECT_EQ(limit.admit(start + 10s), 500U);
  EXPECT_EQ(limit.admit(start + 11s), std::nullopt);
  EXPECT_EQ(limit.admit(start + 20s), 1U);
}

TEST(throttle, logs_a_burst_in_each_period) {
  const steady_time start{1000h};
  throttle limit(10s, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.admit(start + 1s * i), 0U);
  EXPECT_EQ(limit.admit(start + 9s), std::nullopt);
  EXPECT_EQ(limit.admit(start + 10s), 1U);
  EXPECT_EQ(limit.admit(start + 11s), 0U);
}

TEST_F(episode_test, a_throttled_line_shows_how_many_were_suppressed) {
  throttle limit(0ms);
  throttled(limit, level::warn, "api", "refused from={}", "10.0.0.1");
  EXPECT_NE(written().find("WARN api: refused from=10.0.0.1\n"), std::string::npos) << written();
}

}  // namespace
}  // namespace base::log
