#include "sources/engine/stopped_containers.hpp"

#include <gtest/gtest.h>

#include "tests/support/event_loop.hpp"

namespace engine {
namespace {

async::task<> count(stopped_containers& all, int& changes) {
  while (true) {
    co_await all.changed();
    ++changes;
  }
}

TEST(stopped_containers, are_found_by_their_name_in_rules_and_announced) {
  support::event_loop loop;
  stopped_containers all(loop.executor());
  int changes = 0;
  loop.spawn(count(all, changes));
  loop.settle();
  all.update({{"default/abc", true}, {"k8s.io/def", true}});
  loop.settle();
  EXPECT_TRUE(all.contains("default-abc"));
  EXPECT_TRUE(all.contains("k8s.io-def"));
  EXPECT_FALSE(all.contains("default-def")) << "an unknown container may run";
  EXPECT_EQ(changes, 1);
  all.update({{"default/abc", true}, {"k8s.io/def", true}});
  loop.settle();
  EXPECT_EQ(changes, 1);
  all.update({{"default/abc", false}, {"k8s.io/def", false}});
  loop.settle();
  EXPECT_TRUE(all.empty());
  EXPECT_EQ(changes, 2);
  loop.stop();
}

}  // namespace
}  // namespace engine
