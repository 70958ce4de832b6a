// Whether the process that sent a message still runs.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/unique_fd.hpp"
#include "programs/port_proxy/message_server.hpp"

namespace port_proxy {
namespace {

pid_t ended_process() {
  const auto child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

caller this_process() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const base::unique_fd one(ends[0]), other(ends[1]);
  return caller_at(one.get());
}

TEST(caller, that_has_ended_is_not_alive) {
  const auto gone = ended_process();
  EXPECT_FALSE(is_alive({gone, 4711}));
  EXPECT_FALSE(is_alive({gone, 0})) << "it has ended, though its start is unknown";
}

TEST(caller, that_runs_is_alive_and_its_number_s_next_holder_is_another) {
  const auto self = this_process();
  EXPECT_EQ(self.pid, ::getpid());
  EXPECT_TRUE(is_alive(self));
  EXPECT_FALSE(is_alive({self.pid, self.started + 1}));
  EXPECT_TRUE(is_alive({})) << "by TCP";
}

TEST(caller, of_which_nothing_can_be_read_may_be_alive) {
  const auto self = this_process();
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const bool alive = is_alive(self);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(alive);
}

}  // namespace
}  // namespace port_proxy
