#include "os/namespaces.hpp"

#include <gtest/gtest.h>
#include <net/if.h>
#include <unistd.h>

namespace os {
namespace {

TEST(namespaces, a_fresh_one_is_another_and_work_runs_in_it) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto made = make_net_namespace();
  if (!made) GTEST_SKIP() << made.error().message();
  const auto ours = net_namespace_of(::getpid());
  ASSERT_TRUE(ours);
  EXPECT_FALSE(is_same_namespace(made->get(), ours->get()));
  bool is_there = false;
  EXPECT_TRUE(in_net_namespace(made->get(), [&]() -> base::result<> {
    const auto now = net_namespace_of(::gettid());
    is_there = now && is_same_namespace(now->get(), made->get());
    return {};
  }));
  EXPECT_TRUE(is_there);
  const auto after = net_namespace_of(::gettid());
  EXPECT_TRUE(after && is_same_namespace(after->get(), ours->get())) << "this thread has stayed";
}

TEST(namespaces, errors_of_the_work_and_of_the_way_there_are_passed_on) {
  const auto ours = net_namespace_of(::getpid());
  ASSERT_TRUE(ours);
  if (::geteuid() == 0)
    EXPECT_EQ(in_net_namespace(ours->get(), [] { return base::result<>(base::fail("no")); }).error().message(), "no");
  EXPECT_FALSE(in_net_namespace(-1, [] { return base::result<>{}; }));
  EXPECT_FALSE(net_namespace_of(999'999'999));
}

}  // namespace
}  // namespace os
