// Against the real kernel, in a network namespace of the test's own. endpoint_guard_test shows that packets are
// refused.
#include "kernel/netfilter/forward_guard.hpp"

#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <optional>

#include "base/text.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/run_task.hpp"

namespace netfilter {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const net::address gateway = net::address::v4(192, 168, 127, 1);
const std::string accept = "-A FORWARD -j ACCEPT";

class forward_guard_fallback : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-legacy-restore", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    if (::access("/usr/sbin/nft", X_OK) != 0) GTEST_SKIP() << "nftables is not installed";
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
    place_.emplace("guard");
    here_.emplace(*place_);
    support::run_or_throw({.argv = {"iptables-legacy", "-I", "FORWARD", "-j", "ACCEPT"}});
  }
  void ensure(std::uint16_t port) { EXPECT_TRUE(support::run_task(context_, guard_.ensure({gateway, port}))); }
  void remove() { EXPECT_TRUE(support::run_task(context_, guard_.remove())); }
  static void without_nftables(const std::function<void()>& work) {
    if (!support::run_without({__NR_socket, 2, NETLINK_NETFILTER, EPROTONOSUPPORT}, work))
      GTEST_SKIP() << "the kernel takes no filter";
  }
  static std::vector<std::string> legacy() {
    std::vector<std::string> lines;
    const auto text = support::run_or_throw({.argv = {"iptables-legacy", "-S", "FORWARD"}});
    for (const auto line : base::split(text, '\n'))
      if (line.starts_with("-A ")) lines.emplace_back(line);
    return lines;
  }
  static std::string nftables() { return support::run_or_throw({.argv = {"nft", "list", "ruleset"}}); }

  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
  boost::asio::io_context context_;
  forward_guard guard_{"TAG", "TAG:api", {{nat_variant::legacy, "none", "/usr/sbin/iptables-legacy-restore"}}};
};

TEST_F(forward_guard_fallback, is_in_nftables_where_the_kernel_has_it) {
  ensure(80);
  EXPECT_THAT(nftables(), AllOf(HasSubstr("TAG:api"), HasSubstr("tcp dport 80")));
  EXPECT_THAT(legacy(), ElementsAre(accept));
  remove();
  EXPECT_THAT(nftables(), Not(HasSubstr("TAG")));
}

TEST_F(forward_guard_fallback, without_nftables_is_one_rule_at_the_head_of_forward) {
  without_nftables([this] { ensure(80); });
  EXPECT_THAT(legacy(), ElementsAre(AllOf(HasSubstr("--dport 80"), HasSubstr("tcp-reset")), accept));
  support::run_or_throw({.argv = {"iptables-legacy", "-I", "FORWARD", "-j", "ACCEPT"}});
  without_nftables([this] { ensure(81); });
  EXPECT_THAT(legacy(), ElementsAre(HasSubstr("--dport 81"), accept, accept));
  without_nftables([this] { remove(); });
  EXPECT_THAT(legacy(), ElementsAre(accept, accept));
  EXPECT_THAT(nftables(), Not(HasSubstr("TAG:api")));
}

}  // namespace
}  // namespace netfilter
