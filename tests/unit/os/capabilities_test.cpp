#include "os/capabilities.hpp"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "tests/support/netns.hpp"

namespace os {
namespace {

constexpr std::array<capability, 2> both{{{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}}};
constexpr std::uint64_t net_admin = 1U << CAP_NET_ADMIN, sys_admin = 1U << CAP_SYS_ADMIN;

TEST(capabilities, the_error_names_what_is_missing) {
  EXPECT_TRUE(check_capabilities(both, net_admin | sys_admin));
  EXPECT_TRUE(check_capabilities({}, 0));
  EXPECT_EQ(check_capabilities(both, sys_admin).error().context, "it needs CAP_NET_ADMIN");
  EXPECT_EQ(check_capabilities(both, net_admin).error().context, "it needs CAP_SYS_ADMIN");
  const auto none = check_capabilities(both, ~(net_admin | sys_admin)).error();
  EXPECT_EQ(none.context, "it needs CAP_NET_ADMIN and CAP_SYS_ADMIN");
  EXPECT_EQ(none.code, std::errc::operation_not_permitted);
}

TEST(capabilities, the_second_word_counts) {
  constexpr std::array<capability, 1> high{{{CAP_BPF, "CAP_BPF"}}};
  EXPECT_TRUE(check_capabilities(high, std::uint64_t{1} << CAP_BPF));
  EXPECT_FALSE(check_capabilities(high, ~(std::uint64_t{1} << CAP_BPF)));
}

TEST(capabilities, another_user_has_none) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns space("capabilities");
  EXPECT_TRUE(space.run([] { return check_capabilities(both).has_value(); }));
  EXPECT_FALSE(space.run([] { return check_capabilities(both).has_value(); }, support::unprivileged));
}

// Capabilities are a thread's: this one ends with them.
TEST(capabilities, what_is_given_up_is_gone_for_good) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  std::thread([] {
    const auto before = effective_capabilities();
    ASSERT_TRUE(before);
    ASSERT_TRUE(keep_capabilities(net_admin | std::uint64_t{1} << CAP_BPF));
    EXPECT_EQ(effective_capabilities(), *before & (net_admin | std::uint64_t{1} << CAP_BPF));
    EXPECT_EQ(::prctl(PR_CAPBSET_READ, CAP_NET_ADMIN), 1);
    EXPECT_EQ(::prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN), 0);
    EXPECT_EQ(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    ASSERT_TRUE(keep_capabilities(~std::uint64_t{0})) << "does not bring one back";
    EXPECT_EQ(effective_capabilities(), *before & (net_admin | std::uint64_t{1} << CAP_BPF));
    ASSERT_TRUE(keep_capabilities(0)) << "without CAP_SETPCAP";
    EXPECT_EQ(effective_capabilities(), 0U);
  }).join();
}

}  // namespace
}  // namespace os
