#include "os/process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.hpp"
#include "tests/support/event_loop.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;

base::result<process_output> run(std::vector<std::string> argv, std::string input = {}, std::size_t limit = 1 << 20,
                                 async::clock::duration deadline = 10s) {
  support::event_loop loop;
  ::signal(SIGPIPE, SIG_IGN);  // as os::catch_stop_signals does in every program
  process_request request{.argv = std::move(argv), .input = std::move(input), .output_limit = limit};
  return loop.run(run_process(std::move(request), deadline));
}

TEST(process, gives_input_and_takes_both_outputs) {
  const auto ended = run({"sh", "-c", "cat; echo wrong >&2; exit 3"}, "hello");
  ASSERT_TRUE(ended) << ended.error().message();
  EXPECT_EQ(ended->out, "hello");
  EXPECT_EQ(ended->err, "wrong\n");
  EXPECT_EQ(ended->exit_code, 3);
}

TEST(process, more_than_a_pipe_holds_goes_both_ways) {
  const std::string much(3 << 20, 'x');
  const auto ended = run({"cat"}, much, 4 << 20);
  ASSERT_TRUE(ended) << ended.error().message();
  EXPECT_EQ(ended->out.size(), much.size());
}

TEST(process, unread_input_is_not_an_error) {
  const auto ended = run({"true"}, std::string(1 << 20, 'x'));
  ASSERT_TRUE(ended) << ended.error().message();
  EXPECT_EQ(ended->exit_code, 0);
}

TEST(process, arguments_are_not_looked_at_by_a_shell) {
  const auto ended = run({"echo", "$(id); `id` > /dev/null"});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->out, "$(id); `id` > /dev/null\n");
}

TEST(process, a_program_that_is_not_there_is_an_error) {
  const auto ended = run({"/nonexistent/program"});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, std::errc::no_such_file_or_directory);
  EXPECT_FALSE(run({}));
}

TEST(process, the_deadline_kills) {
  const auto before = async::clock::now();
  const auto ended = run({"sleep", "60"}, {}, 1 << 20, 30ms);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, std::errc::timed_out);
  EXPECT_LT(async::clock::now() - before, 5s);
}

TEST(process, a_child_that_holds_the_output_open_is_bound_by_the_deadline_too) {
  const auto ended = run({"sh", "-c", "exec 2>&-; sleep 1 & exit 0"}, {}, 1 << 20, 30ms);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, std::errc::timed_out);
}

TEST(process, output_beyond_the_limit_is_an_error) {
  EXPECT_TRUE(run({"printf", "1234"}, {}, 4));
  const auto ended = run({"yes"}, {}, 1000);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, std::errc::message_size);
}

// A child of the program writes, and holds both pipes.
TEST(process, output_beyond_the_limit_ends_what_the_program_started_too) {
  for (const auto* script : {"yes; exit 1", "yes >&2; exit 1"}) {
    const auto ended = run({"sh", "-c", script}, {}, 1000);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, std::errc::message_size) << ended.error().message();
  }
}

TEST(process, no_other_descriptor_is_inherited) {
  const base::unique_fd for_all(::dup(1));
  const auto ended = run({"sh", "-c", "ls /proc/$$/fd"});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->out, "0\n1\n2\n");
}

TEST(process, nothing_is_left_to_reap) {
  EXPECT_TRUE(run({"true"}));
  EXPECT_FALSE(run({"sleep", "60"}, {}, 1 << 20, 1ms));
  EXPECT_FALSE(run({"yes"}, {}, 1000));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(process, a_signal_is_told_as_a_shell_tells_it) {
  const auto ended = run({"sh", "-c", "kill -TERM $$"});
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->exit_code, 128 + SIGTERM);
}

TEST(process, ignored_signals_are_as_usual_in_the_child) {
  ::signal(SIGXFSZ, SIG_IGN);  // as os::catch_stop_signals does, too
  for (const int number : {SIGPIPE, SIGXFSZ}) {
    const auto ended = run({"sh", "-c", "kill -" + std::to_string(number) + " $$; echo survived"});
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->exit_code, 128 + number);
  }
}

}  // namespace
}  // namespace os
