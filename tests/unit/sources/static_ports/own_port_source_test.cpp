#include "sources/static_ports/own_port_source.hpp"

#include <gmock/gmock.h>

#include "async/condition.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/recording_feed.hpp"

namespace static_ports {
namespace {

using testing::HasSubstr;

TEST(own_port_source, publishes_the_port_while_it_listens) {
  support::event_loop loop;
  support::recording_feed feed;
  auto busy = support::listen_on_loopback();
  async::condition never(loop.executor());
  int served = 0;
  const auto serve = [](base::unique_fd, int* count, async::condition* until) -> async::task<> {
    ++*count;
    co_await until->wait();
  };
  const own_port_source::service service = [&](base::unique_fd fd) { return serve(std::move(fd), &served, &never); };
  own_port_source source({net::address::loopback_v4(), busy.port}, service);
  loop.spawn(source.run(feed));
  ASSERT_TRUE(loop.run_until([&] { return feed.publications > 0; }));
  EXPECT_THAT(feed.last->doubt, HasSubstr("Address already in use"));
  EXPECT_TRUE(feed.last->bindings.empty()) << "the port is another program's";
  EXPECT_EQ(served, 0);
  busy.fd.reset();
  ASSERT_TRUE(loop.run_until([&] { return served == 1; }));
  EXPECT_EQ(feed.last->doubt, "");
  ASSERT_EQ(feed.last->bindings.size(), 1U);
  const auto& port = feed.last->bindings.front();
  EXPECT_EQ(to_string(raw_key(port)), "tcp 127.0.0.1:" + std::to_string(busy.port));
  EXPECT_EQ(port.served, ports::serving::host_listener) << "on loopback it needs a way from the host";
  EXPECT_EQ(source.id().name(), "status-page");
  loop.stop();
}

}  // namespace
}  // namespace static_ports
