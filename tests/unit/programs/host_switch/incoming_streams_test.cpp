#include "programs/host_switch/incoming_streams.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

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

}  // namespace
}  // namespace host_switch
