#include "programs/host_switch/incoming_streams.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "tests/support/event_loop.hpp"

namespace host_switch {
namespace {

constexpr net::endpoint client{net::address::v4(192, 168, 127, 2), 4711};

base::unique_fd any_fd() { return base::unique_fd(::eventfd(0, EFD_CLOEXEC)); }

async::task<> take(os::acceptor* from, std::vector<os::accepted>* to) {
  while (true) to->push_back(co_await from->accept());
}

TEST(incoming_streams, a_connection_of_another_thread_is_accepted_with_its_client) {
  support::event_loop loop;
  const auto streams = std::make_unique<incoming_streams>(loop.executor());
  const auto from = streams->acceptor();
  std::vector<os::accepted> taken;
  loop.spawn(take(from.get(), &taken));
  loop.settle();
  std::thread([&] { EXPECT_TRUE(streams->add(any_fd(), client)); }).join();
  ASSERT_TRUE(loop.run_until([&] { return taken.size() == 1; }));
  EXPECT_TRUE(taken[0].fd);
  EXPECT_EQ(taken[0].peer, client);
  loop.stop();
}

TEST(incoming_streams, those_that_came_before_the_acceptor_wait_for_it) {
  support::event_loop loop;
  incoming_streams streams(loop.executor());
  EXPECT_TRUE(streams.add(any_fd(), client));
  EXPECT_TRUE(streams.add(any_fd(), client));
  const auto from = streams.acceptor();
  std::vector<os::accepted> taken;
  loop.spawn(take(from.get(), &taken));
  EXPECT_TRUE(loop.run_until([&] { return taken.size() == 2; }));
  loop.stop();
}

TEST(incoming_streams, beyond_the_bound_a_connection_is_refused) {
  support::event_loop loop;
  incoming_streams streams(loop.executor());
  for (std::size_t i = 0; i < incoming_streams::most; ++i) ASSERT_TRUE(streams.add(any_fd(), client));
  EXPECT_FALSE(streams.add(any_fd(), client));
}

TEST(incoming_streams, one_that_is_taken_makes_room_for_another) {
  support::event_loop loop;
  incoming_streams streams(loop.executor());
  for (std::size_t i = 0; i < incoming_streams::most; ++i) ASSERT_TRUE(streams.add(any_fd(), client));
  const auto from = streams.acceptor();
  auto take_one = [](os::acceptor* one) -> async::task<os::accepted> { co_return co_await one->accept(); };
  EXPECT_TRUE(loop.run(take_one(from.get())).fd);
  EXPECT_TRUE(streams.add(any_fd(), client));
  EXPECT_FALSE(streams.add(any_fd(), client));
}

TEST(incoming_streams, connections_of_several_threads_are_accepted_each_once_and_in_their_order) {
  support::event_loop loop;
  incoming_streams streams(loop.executor());
  const auto from = streams.acceptor();
  std::vector<os::accepted> taken;
  loop.spawn(take(from.get(), &taken));
  constexpr std::uint16_t each = 500;
  std::vector<std::jthread> all;
  for (std::uint16_t t = 0; t < 4; ++t)
    all.emplace_back([&streams, t] {
      for (std::uint16_t i = 0; i < each;)
        if (streams.add(any_fd(), {net::address::v4(10, 0, 0, static_cast<std::uint8_t>(t)), i})) ++i;
    });
  EXPECT_TRUE(loop.run_until([&] { return taken.size() == 4U * each; }));
  all.clear();
  std::array<std::uint16_t, 4> next{};
  for (const auto& one : taken) {
    ASSERT_TRUE(one.peer);
    EXPECT_EQ(one.peer->port, next[one.peer->ip.data()[3]]++);
  }
  loop.stop();
}

// The data plane may outlive the task that serves.
TEST(incoming_streams, what_nothing_takes_is_closed_with_it) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
  const base::unique_fd peer(pair[1]);
  {
    support::event_loop loop;
    incoming_streams streams(loop.executor());
    ASSERT_TRUE(streams.add(base::unique_fd(pair[0]), client));
    loop.settle();
  }
  char byte = 0;
  EXPECT_EQ(::recv(peer.get(), &byte, 1, 0), 0);
}

}  // namespace
}  // namespace host_switch
