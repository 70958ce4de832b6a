#include "kernel/netlink/address_watch.hpp"

#include <gtest/gtest.h>

#include "async/timeout.hpp"
#include "tests/support/event_loop.hpp"

namespace netlink {
namespace {

TEST(address_watch, is_silent_while_nothing_changes) {
  support::event_loop loop;
  auto watch = address_watch::open(loop.executor());
  ASSERT_TRUE(watch);
  // Other tests may change addresses meanwhile: that it returns at all is the wait's affair, not ours.
  static_cast<void>(loop.run(async::within(std::chrono::milliseconds(20), watch->changed())));
}

}  // namespace
}  // namespace netlink
