#include "sources/static_ports/static_source.hpp"

#include <gmock/gmock.h>

#include "tests/support/event_loop.hpp"
#include "tests/support/recording_feed.hpp"

namespace static_ports {
namespace {

using testing::ElementsAre;

TEST(static_source, publishes_its_ports_once) {
  support::event_loop loop;
  support::recording_feed feed;
  const ports::binding api{net::protocol::tcp,       net::address::loopback_v4(), 6443, 6443, "api", "api",
                           ports::serving::announced};
  static_source source(loop.executor(), {{api}, {}});
  loop.spawn(source.run(feed));
  ASSERT_TRUE(loop.run_until([&] { return feed.publications == 1; }));
  EXPECT_THAT(feed.last->bindings, ElementsAre(api));
  EXPECT_EQ(source.id().name(), "static");
  loop.pass_time(std::chrono::hours(1));
  loop.stop();
  EXPECT_EQ(feed.publications, 1U);
}

}  // namespace
}  // namespace static_ports
