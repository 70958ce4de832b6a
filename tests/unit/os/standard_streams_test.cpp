#include "os/standard_streams.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <stdio_ext.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/unique_fd.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

// Standard output is another file until the end of the test.
class standard_streams_test : public testing::Test {
 protected:
  void SetUp() override {
    std::fflush(stdout);
    ::signal(SIGPIPE, SIG_IGN);
    ASSERT_EQ(::pipe2(pipe_.data(), O_CLOEXEC), 0);
  }
  void TearDown() override {
    ::__fpurge(stdout);
    std::clearerr(stdout);
    ::dup2(saved_.get(), STDOUT_FILENO);
    for (const int fd : pipe_) ::close(fd);
    ::signal(SIGPIPE, SIG_DFL);
  }
  static void redirect(int to) { ::dup2(to, STDOUT_FILENO); }
  static base::unique_fd open_file(const std::string& path, int flags) {
    return base::unique_fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  }
  void close_reader() { ::close(std::exchange(pipe_[0], -1)); }

  // Whether output_lost() has returned, and why, after everything that is ready has run.
  std::string lost() {
    if (!started_) {
      started_ = true;
      loop_.spawn(wait());
    }
    loop_.settle();
    return why_ ? why_->message() : "";
  }
  async::task<> wait() { why_ = co_await output_lost(); }

  const support::temp_dir directory_;
  const base::unique_fd saved_{::dup(STDOUT_FILENO)};
  std::array<int, 2> pipe_{-1, -1};
  support::event_loop loop_;
  bool started_ = false;
  std::optional<base::error> why_;
};

TEST_F(standard_streams_test, what_is_printed_arrives_at_once) {
  redirect(pipe_[1]);
  ASSERT_TRUE(print("hello"));
  std::array<char, 8> got{};
  EXPECT_EQ(::read(pipe_[0], got.data(), got.size()), 5);
  EXPECT_STREQ(got.data(), "hello");
}

TEST_F(standard_streams_test, a_text_that_does_not_arrive_is_an_error) {
  redirect(open_file("/dev/full", O_WRONLY).get());
  EXPECT_EQ(print("hello").error().message(), "standard output: No space left on device");
}

TEST_F(standard_streams_test, a_text_without_a_reader_is_an_error) {
  redirect(pipe_[1]);
  close_reader();
  EXPECT_EQ(print("hello").error().message(), "standard output: Broken pipe");
}

TEST_F(standard_streams_test, a_pipe_is_lost_when_its_reader_has_gone) {
  redirect(pipe_[1]);
  EXPECT_EQ(lost(), "");
  ASSERT_TRUE(print("hello"));
  EXPECT_EQ(lost(), "");
  close_reader();
  EXPECT_EQ(lost(), "standard output: Broken pipe");
}

// The user's shell, and each other program of the pipe, shares the flags of standard output.
TEST_F(standard_streams_test, an_output_that_is_watched_keeps_its_flags) {
  redirect(pipe_[1]);
  EXPECT_EQ(lost(), "");
  EXPECT_EQ(::fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(standard_streams_test, an_output_that_is_watched_waits_for_a_slow_reader) {
  redirect(pipe_[1]);
  EXPECT_EQ(lost(), "");
  const std::string text(1'000'000, 'x');  // a pipe holds 65,536 bytes
  std::string got;
  std::jthread reader([this, &got, size = text.size()] {
    std::array<char, 4096> bytes{};
    pollfd full{pipe_[1], POLLOUT, 0};
    while (::poll(&full, 1, 0) > 0) std::this_thread::yield();  // begins when no byte fits any more
    while (got.size() < size) {
      const auto count = ::read(pipe_[0], bytes.data(), bytes.size());
      if (count <= 0) return;
      got.append(bytes.data(), static_cast<std::size_t>(count));
    }
  });
  const auto printed = print(text);
  EXPECT_TRUE(printed) << printed.error().message();
  if (!printed) {  // ends the reader
    redirect(saved_.get());
    ::close(std::exchange(pipe_[1], -1));
  }
  reader.join();
  EXPECT_EQ(got.size(), text.size());
}

TEST_F(standard_streams_test, a_file_is_not_lost) {
  redirect(open_file(directory_ / "out", O_WRONLY | O_CREAT).get());
  EXPECT_EQ(lost(), "");
}

TEST_F(standard_streams_test, an_output_that_was_closed_is_lost_from_the_beginning) {
  redirect(open_file("/", O_PATH).get());
  EXPECT_EQ(lost(), "standard output: Bad file descriptor");
}

// The child's exit code says what is wrong.
int open_after_all_were_closed() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(fd);
  occupy_closed_streams();
  if (::open("/dev/null", O_RDWR | O_CLOEXEC) <= STDERR_FILENO) return 1;
  if (print("hello") || print_error("hello")) return 2;
  char byte = 0;
  return ::read(STDIN_FILENO, &byte, 1) < 0 ? 0 : 3;
}

TEST(standard_streams, no_file_takes_the_number_of_a_closed_one) {
  EXPECT_EXIT(::_exit(open_after_all_were_closed()), testing::ExitedWithCode(0), "");
}

TEST_F(standard_streams_test, one_that_is_open_stays_what_it_is) {
  redirect(pipe_[1]);
  occupy_closed_streams();
  EXPECT_TRUE(print("hello"));
}

}  // namespace
}  // namespace os
