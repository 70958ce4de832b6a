// Against the real kernel, in a network namespace of the test's own.
#include "kernel/netfilter/localnet_access.hpp"

#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <optional>

#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"

namespace netfilter {
namespace {

using testing::HasSubstr;
using testing::Not;

class localnet_access_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/nft", X_OK) != 0) GTEST_SKIP() << "nftables is not installed";
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
    place_.emplace("localnet");
    here_.emplace(*place_);
    for (const auto* device : {"tap0", "veth0"}) place_->ip({"link", "add", device, "type", "bridge"});
  }
  localnet_access access(const std::vector<nat_programs>& programs = {}) const {
    return {route_localnet(directory_ / "state"), "TAG", programs, "test"};
  }
  bool enable(localnet_access& access, std::set<std::string> devices) {
    return support::run_task(context_, access.enable(std::move(devices))).has_value();
  }
  void disable(localnet_access& access) {
    auto off = [](localnet_access& a) -> async::task<bool> {
      co_await a.disable();
      co_return true;
    };
    support::run_task(context_, off(access));
  }
  static char setting(const std::string& device) {
    char value = '?';
    std::ifstream("/proc/sys/net/ipv4/conf/" + device + "/route_localnet") >> value;
    return value;
  }
  static std::string guards() { return support::run_or_throw({.argv = {"nft", "list", "ruleset"}}); }

  support::temp_dir directory_;
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
  boost::asio::io_context context_;
};

TEST_F(localnet_access_test, is_on_for_these_devices_alone_and_guarded) {
  auto localnet = access();
  EXPECT_TRUE(enable(localnet, {"tap0"}));
  EXPECT_EQ(setting("tap0"), '1');
  EXPECT_EQ(setting("veth0"), '0');
  EXPECT_TRUE(localnet.is_guarded());
  EXPECT_TRUE(enable(localnet, {"veth0"}));
  EXPECT_EQ(setting("tap0"), '0');
  EXPECT_EQ(setting("veth0"), '1');
  EXPECT_THAT(guards(), HasSubstr("TAG:localnet veth0"));
  EXPECT_THAT(guards(), Not(HasSubstr("TAG:localnet tap0")));
}

TEST_F(localnet_access_test, disabled_it_leaves_nothing) {
  auto localnet = access();
  EXPECT_TRUE(localnet.may_be_on()) << "a crashed run may have left it on";
  EXPECT_TRUE(enable(localnet, {"tap0"}));
  disable(localnet);
  EXPECT_FALSE(localnet.may_be_on());
  EXPECT_EQ(setting("tap0"), '0');
  EXPECT_THAT(guards(), Not(HasSubstr("TAG")));
}

TEST_F(localnet_access_test, a_guard_that_another_program_removed_is_put_up_again) {
  auto localnet = access();
  EXPECT_TRUE(enable(localnet, {"tap0"}));
  support::run_or_throw({.argv = {"nft", "flush", "ruleset"}});
  EXPECT_FALSE(localnet.is_guarded());
  localnet.heal();
  EXPECT_TRUE(localnet.is_guarded());
}

// With the setting and no guard, every loopback listener would be within the peer's reach.
TEST_F(localnet_access_test, stays_off_where_nothing_can_guard_it) {
  const auto broken = directory_ / "restore";
  std::ofstream(broken) << "#!/bin/sh\nexit 1\n";
  std::filesystem::permissions(broken, std::filesystem::perms::owner_all);
  auto localnet = access({{nat_variant::legacy, "/bin/false", broken.string()}});
  const auto body = [&] { EXPECT_FALSE(enable(localnet, {"tap0"})); };
  if (!support::run_without({__NR_socket, 2, NETLINK_NETFILTER, EPROTONOSUPPORT}, body))
    GTEST_SKIP() << "the kernel takes no filter";
  EXPECT_EQ(setting("tap0"), '0');
}

}  // namespace
}  // namespace netfilter
