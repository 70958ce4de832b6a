#include "base/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "base/unique_fd.hpp"
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

// Under systemd standard output is a socket, and open("/dev/stdout") fails.
TEST_F(log_test, standard_output_may_be_a_socket) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const unique_fd far(ends[0]), near(ends[1]), before(::dup(STDOUT_FILENO));
  std::fflush(stdout);
  ASSERT_EQ(::dup2(near.get(), STDOUT_FILENO), STDOUT_FILENO);
  const auto set = set_file("/dev/stdout");
  info("a", "line");
  std::fflush(stdout);
  ASSERT_EQ(::dup2(before.get(), STDOUT_FILENO), STDOUT_FILENO);
  EXPECT_TRUE(set);
  std::array<char, 200> text{};
  ASSERT_GT(::recv(far.get(), text.data(), text.size(), MSG_DONTWAIT), 0);
  EXPECT_NE(std::string(text.data()).find("INFO a: line"), std::string::npos);
  ASSERT_TRUE(set_file(path_));
}

// The program would wait for the FIFO's reader.
TEST_F(log_test, a_fifo_is_refused_at_once_and_an_open_pipe_is_not) {
  const auto fifo = (directory_ / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  ASSERT_FALSE(set_file(fifo));
  EXPECT_EQ(set_file(fifo).error().message(), fifo + ": is neither a file nor an open pipe");
  const unique_fd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_FALSE(set_file(fifo)) << "it may stop to read";
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const unique_fd out(ends[0]), in(ends[1]);
  EXPECT_TRUE(set_file("/dev/fd/" + std::to_string(in.get())));
  info("a", "line");
  std::array<char, 200> text{};
  ASSERT_GT(::read(out.get(), text.data(), text.size() - 1), 0);
  EXPECT_NE(std::string(text.data()).find("INFO a: line"), std::string::npos);
  ASSERT_TRUE(set_file(path_));
}

TEST_F(log_test, no_other_user_can_read_it) {
  const auto before = ::umask(0);
  EXPECT_TRUE(set_file((directory_ / "other").string()));
  ::umask(before);
  EXPECT_EQ(std::filesystem::status(directory_ / "other").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(log_test, devices_are_files) {
  EXPECT_TRUE(set_file("/dev/null"));
  EXPECT_TRUE(set_file("/dev/stderr"));
}

TEST_F(log_test, a_file_that_cannot_be_opened_is_an_error_with_its_reason) {
  const auto failed = set_file("/dev/null/log");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message(), "/dev/null/log: Not a directory");
}

TEST_F(log_test, no_directory_is_made_for_the_file) {
  const auto failed = set_file((directory_ / "absent" / "log").string());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, std::errc::no_such_file_or_directory);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "absent"));
}

}  // namespace
}  // namespace base::log
