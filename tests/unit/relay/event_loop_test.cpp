#include "relay/event_loop.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "relay/udp_relay.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using namespace std::chrono_literals;
using support::eventually;

std::size_t tickers(event_loop& loop) {
  std::size_t count = 0;
  loop.call([&] { count = loop.tickers(); });
  return count;
}

TEST(EventLoop, EveryTickerKeepsItsOwnTime) {
  std::atomic<int> often = 0, once = 0, seldom = 0;
  event_loop loop;
  loop.call([&] {
    loop.every(1h, [&] { return ++seldom, true; });
    loop.every(2ms, [&] { return ++often, true; });
    loop.every(1ms, [&] { return ++once, false; });
  });
  EXPECT_TRUE(eventually([&] { return often >= 5; }));
  EXPECT_EQ(once, 1);
  EXPECT_EQ(seldom, 0);
  EXPECT_EQ(tickers(loop), 2U);
}

TEST(EventLoop, ATickMayAddAnother) {
  std::atomic<bool> second = false;
  event_loop loop;
  loop.call([&] {
    loop.every(1ms, [&] {
      loop.every(1ms, [&] { return second = true, false; });
      return false;
    });
  });
  EXPECT_TRUE(eventually([&] { return second.load(); }));
  EXPECT_TRUE(eventually([&] { return tickers(loop) == 0; }));
}

// With room for one flow every client takes the place of the one before: the listener has no flow in between.
TEST(EventLoop, FlowsThatReplaceEachOtherAddNoTicker) {
  const auto target = support::bound_socket(SOCK_DGRAM, {net::address::loopback_v4(), 0});
  auto fd = support::bound_socket(SOCK_DGRAM, {net::address::loopback_v4(), 0});
  const auto at = support::local_endpoint(fd.get());
  counters count;
  descriptor_budget budget(1'024);
  event_loop loop;
  std::optional<udp_relay> relay;
  std::unique_ptr<event_handler> listener;
  loop.call([&] {
    relay.emplace(loop, count, budget, udp_limits{.flows = 1});
    listener = relay->listen(std::move(fd), support::local_endpoint(target.get())).value();
  });
  for (int i = 0; i < 20; ++i) {
    const auto client = support::connected_socket(SOCK_DGRAM, at);
    ASSERT_EQ(::send(client.get(), "x", 1, 0), 1);
    char byte = 0;
    ASSERT_EQ(::recv(target.get(), &byte, 1, 0), 1);
  }
  EXPECT_EQ(tickers(loop), 1U);
  loop.call([&] {
    loop.stop_ticking();
    listener.reset();
    relay.reset();
  });
}

}  // namespace
}  // namespace relay
