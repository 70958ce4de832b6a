#include "os/child_program.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/descriptor_limit.hpp"
#include "os/namespaces.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;

class child_program_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }
  base::result<child_program> start(std::vector<std::string> argv) {
    return child_program::start(loop_.executor(), {.argv = std::move(argv)});
  }
  support::event_loop loop_;
};

TEST_F(child_program_test, ends_with_its_code_or_the_signal_s_number) {
  auto one = start({"sh", "-c", "exit 7"});
  ASSERT_TRUE(one);
  EXPECT_EQ(loop_.run(one->ended()), 7);
  EXPECT_EQ(loop_.run(one->ended()), 7) << "again";
  auto other = start({"sleep", "100"});
  ASSERT_TRUE(other);
  other->send_signal(SIGTERM);
  EXPECT_EQ(loop_.run(other->ended()), 128 + SIGTERM);
}

TEST_F(child_program_test, ignored_signals_are_as_usual_in_it) {
  for (const int number : {SIGPIPE, SIGXFSZ}) {
    const auto before = std::signal(number, SIG_IGN);  // as os::catch_stop_signals does
    auto one = start({"sh", "-c", "kill -" + std::to_string(number) + " $$"});
    std::signal(number, before);
    ASSERT_TRUE(one);
    EXPECT_EQ(loop_.run(one->ended()), 128 + number);
  }
}

TEST_F(child_program_test, a_program_that_does_not_exist_is_an_error) {
  EXPECT_EQ(start({"/no/such/program"}).error().code, std::errc::no_such_file_or_directory);
}

TEST_F(child_program_test, a_descriptor_that_cannot_be_copied_is_an_error) {
  const auto closed =
      child_program::start(loop_.executor(), {.argv = {"sleep", "100"}, .descriptors = {{1'000'000, 3}}});
  EXPECT_EQ(closed.error().code, std::errc::bad_file_descriptor);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{.rlim_cur = 3, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto full = start({"sleep", "100"});
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_FALSE(full);
}

// The least that the programs start with.
TEST_F(child_program_test, needs_no_high_numbers) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const base::unique_fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const rlimit few{.rlim_cur = base::least_descriptors, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  auto child = child_program::start(loop_.executor(), {.argv = {"sh", "-c", "ls /proc/self/fd | wc -l | grep -x 6"},
                                                       .descriptors = {{null.get(), 3}, {null.get(), 4}}});
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(child) << child.error().message();
  EXPECT_EQ(loop_.run(child->ended()), 0) << "0, 1, 2, 3, 4 and the directory itself";
}

TEST_F(child_program_test, gets_its_descriptors_and_environment_and_no_others) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const base::unique_fd ours(ends[0]);
  base::unique_fd theirs(ends[1]);
  auto child =
      child_program::start(loop_.executor(), {.argv = {"sh", "-c", "echo $NAME $HOME $(ls /proc/self/fd | wc -l) >&4"},
                                              .environment = {"NAME=value", "HOME=/elsewhere"},
                                              .descriptors = {{theirs.get(), 3}, {theirs.get(), 4}}});
  ASSERT_TRUE(child);
  theirs.reset();
  EXPECT_EQ(loop_.run(child->ended()), 0);
  // ls: 0, 1, 2, 3, 4 and the directory itself.
  EXPECT_EQ(support::read_all(ours.get()), "value /elsewhere 6\n");
}

TEST_F(child_program_test, ends_with_its_owner_unless_it_shall_survive) {
  pid_t owned = 0, surviving = 0;
  {
    const auto a = start({"sleep", "100"});
    const auto b = child_program::start(loop_.executor(), {.argv = {"sleep", "100"}, .survives = true});
    ASSERT_TRUE(a && b);
    owned = a->pid();
    surviving = b->pid();
  }
  EXPECT_NE(::kill(owned, 0), 0);
  EXPECT_EQ(::kill(surviving, SIGKILL), 0);
  EXPECT_EQ(::waitpid(surviving, nullptr, 0), surviving);
}

TEST_F(child_program_test, what_it_has_left_behind_ends_with_it) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  base::unique_fd alive(ends[0]), held(ends[1]);
  auto one = child_program::start(loop_.executor(),
                                  {.argv = {"sh", "-c", "sleep 1000 & exit 3"}, .descriptors = {{held.get(), 3}}});
  ASSERT_TRUE(one);
  held.reset();
  EXPECT_EQ(loop_.run(one->ended()), 3);
  char byte = 0;
  pollfd end{alive.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&end, 1, 10'000), 1) << "the background program holds the pipe";
  EXPECT_EQ(::read(alive.get(), &byte, 1), 0);
}

TEST_F(child_program_test, stop_kills_what_ignores_sigterm) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const base::unique_fd ours(ends[0]), theirs(ends[1]);
  auto stubborn = child_program::start(loop_.executor(),
                                       {.argv = {"sh", "-c", "trap '' TERM; echo ready >&3; while :; do sleep 1; done"},
                                        .descriptors = {{theirs.get(), 3}}});
  ASSERT_TRUE(stubborn);
  EXPECT_EQ(support::read_exactly(ours.get(), 5), "ready");
  auto stop = [](child_program* child) -> async::task<int> {
    co_await child->stop(async::clock::now() + 100ms);
    co_return co_await child->ended();
  };
  EXPECT_EQ(loop_.run(stop(&*stubborn)), 128 + SIGKILL);
}

TEST_F(child_program_test, starts_in_another_network_namespace) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto made = make_net_namespace();
  if (!made) GTEST_SKIP() << made.error().message();
  const auto child = child_program::start(loop_.executor(), {.argv = {"sleep", "100"}, .net_namespace = made->get()});
  ASSERT_TRUE(child);
  const auto theirs = net_namespace_of(child->pid());
  ASSERT_TRUE(theirs);
  EXPECT_TRUE(is_same_namespace(theirs->get(), made->get()));
}

}  // namespace
}  // namespace os
