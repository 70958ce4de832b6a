#include "base/log.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>

#include "tests/support/temp_dir.hpp"

namespace base::log {
namespace {

// The log is the process's: these tests put it into a file and leave the level as it was.
class log_test : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(set_file(path_)); }
  void TearDown() override { set_level(level::info); }
  std::string written() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  support::temp_dir directory_;
  std::string path_ = directory_ / "log";
};

TEST_F(log_test, a_line_has_time_level_component_and_text) {
  warn("docker", "lost key={} n={}", "value", 3);
  const std::regex line(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARN docker: lost key=value n=3\n)");
  EXPECT_TRUE(std::regex_match(written(), line)) << written();
}

TEST_F(log_test, what_is_below_the_level_is_not_written) {
  debug("a", "no");
  EXPECT_EQ(written(), "");
  set_level(level::error);
  warn("a", "no");
  EXPECT_FALSE(enabled(level::warn));
  error("a", "yes");
  EXPECT_NE(written().find("ERROR a: yes"), std::string::npos);
}

TEST_F(log_test, braces_from_outside_are_text) {
  info("a", "{}", "{} {0} %v");
  EXPECT_NE(written().find("a: {} {0} %v"), std::string::npos);
}

TEST_F(log_test, the_level_survives_another_file) {
  set_level(level::debug);
  ASSERT_TRUE(set_file(path_ + "2"));
  EXPECT_TRUE(enabled(level::debug));
}

TEST_F(log_test, a_file_that_cannot_be_opened_is_told) { EXPECT_FALSE(set_file("/dev/null/log")); }

}  // namespace
}  // namespace base::log
