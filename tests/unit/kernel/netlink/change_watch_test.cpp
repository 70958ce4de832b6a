// Against the real kernel, in a network namespace of the test's own. The time from a change to its report passes
// without waiting: the test advances the clock.
#include "kernel/netlink/change_watch.hpp"

#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "kernel/netfilter/nft_message.hpp"
#include "kernel/netlink/nft_generation.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"

namespace netlink {
namespace {

using namespace std::chrono_literals;

// Adds a table to nftables, as one transaction of the calling thread.
void add_table(const std::string& name) {
  const nfgenmsg whole{AF_UNSPEC, 0, htons(NFNL_SUBSYS_NFTABLES)};
  std::vector<std::byte> request;
  netfilter::end_message(request, netfilter::begin_message(request, NFNL_MSG_BATCH_BEGIN, 0, 0, whole));
  const auto begin = netfilter::begin_message(request, netfilter::message_type(NFT_MSG_NEWTABLE),
                                              NLM_F_CREATE | NLM_F_ACK, 1, {NFPROTO_IPV4, 0, 0});
  netfilter::append_text(request, NFTA_TABLE_NAME, name);
  netfilter::end_message(request, begin);
  netfilter::end_message(request, netfilter::begin_message(request, NFNL_MSG_BATCH_END, 0, 0, whole));
  auto kernel = socket::open(NETLINK_NETFILTER);
  ASSERT_TRUE(kernel) << kernel.error().message();
  const auto done = kernel->transact({.request = std::move(request), .name = "table"}, 1);
  ASSERT_TRUE(done) << done.error().message();
}

class change_watch_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    place_.emplace("changewatch");
    here_.emplace(*place_);
  }
  void TearDown() override { loop_.stop(); }

  static async::task<> count(change_watch& watch, int& reports) {
    for (;; ++reports) co_await watch.changed();
  }
  void start(watch_options options) {
    auto opened = change_watch::open(loop_.executor(), options);
    ASSERT_TRUE(opened) << opened.error().message();
    watch_.emplace(std::move(*opened));
    loop_.spawn(count(*watch_, reports_));
    loop_.settle();
  }
  void change_addresses(const char* what, const char* address) const {
    place_->ip({"address", what, address, "dev", "lo"});
  }
  // The reports after the gathering time.
  int reports_after(std::chrono::milliseconds time = gathering) {
    loop_.settle();
    loop_.pass_time(time);
    loop_.settle();
    return reports_;
  }
  // The number by which the kernel names the calling thread as the author of a change.
  static pid_t author() {
    auto notices = socket::open(NETLINK_NETFILTER, {.groups = {NFNLGRP_NFTABLES}});
    add_table("author");
    std::array<std::byte, 8192> bytes;
    while (const auto datagram = notices->next_notice(bytes))
      for (const auto& g : parse_nft_generations(*datagram)) return static_cast<pid_t>(g.process);
    return 0;
  }
  static void by_another_thread(const std::function<void()>& work) { std::thread(work).join(); }

  static constexpr std::chrono::milliseconds gathering = 1h;
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
  support::event_loop loop_;
  std::optional<change_watch> watch_;
  int reports_ = 0;
};

TEST_F(change_watch_test, reports_changes_of_rules_and_addresses_together_when_the_gathering_time_is_over) {
  start({.gathering = gathering});
  EXPECT_TRUE(watch_->sees_rules());
  add_table("one");
  change_addresses("add", "192.0.2.1/32");
  EXPECT_EQ(reports_after(gathering - 1min), 0) << "before its time";
  add_table("two");
  EXPECT_EQ(reports_after(1min), 1);
  EXPECT_EQ(reports_after(), 1) << "nothing is reported twice";
  change_addresses("del", "192.0.2.1/32");
  EXPECT_EQ(reports_after(), 2);
}

TEST_F(change_watch_test, watches_ipv6_addresses_only_on_request) {
  start({.rules = false, .gathering = gathering});
  EXPECT_FALSE(watch_->sees_rules());
  change_addresses("add", "2001:db8::1/128");
  EXPECT_EQ(reports_after(), 0);
  loop_.stop();
  start({.rules = false, .ipv6 = true, .gathering = gathering});
  change_addresses("add", "2001:db8::2/128");
  EXPECT_EQ(reports_after(), 1);
}

TEST_F(change_watch_test, does_not_watch_what_is_not_wanted) {
  start({.addresses = false, .gathering = gathering});
  change_addresses("add", "192.0.2.1/32");
  EXPECT_EQ(reports_after(), 0);
  add_table("one");
  EXPECT_EQ(reports_after(), 1);
}

TEST_F(change_watch_test, ignores_the_rules_of_a_process_and_reports_those_of_another) {
  const auto own = author();
  ASSERT_NE(own, 0);
  start({.gathering = gathering});
  watch_->ignore(own);
  add_table("ours");
  EXPECT_EQ(reports_after(), 0);
  add_table("ours, again");
  by_another_thread([] { add_table("foreign"); });
  EXPECT_EQ(reports_after(), 1) << "a change of ours does not hide another";
}

// Process numbers return: a list without a bound would one day hide a change of another program.
TEST_F(change_watch_test, ignores_only_the_last_few_processes) {
  const auto own = author();
  start({.addresses = false, .gathering = gathering});
  watch_->ignore(own);
  for (pid_t other = 1; other < 64; ++other) watch_->ignore(own + other);
  add_table("still ignored");
  EXPECT_EQ(reports_after(), 0);
  watch_->ignore(own + 64);
  add_table("forgotten");
  EXPECT_EQ(reports_after(), 1);
}

TEST_F(change_watch_test, a_kernel_without_nftables_still_shows_addresses) {
  const bool ran = support::run_without({__NR_socket, 2, NETLINK_NETFILTER, EPROTONOSUPPORT}, [&] {
    start({.gathering = gathering});
    const auto rules = change_watch::open(loop_.executor(), {.addresses = false});
    ASSERT_FALSE(rules);
    EXPECT_EQ(rules.error().code, std::errc::protocol_not_supported);
  });
  if (!ran) GTEST_SKIP() << "the kernel takes no filter";
  EXPECT_FALSE(watch_->sees_rules());
  change_addresses("add", "192.0.2.1/32");
  EXPECT_EQ(reports_after(), 1);
}

TEST_F(change_watch_test, fails_if_every_subscription_is_denied) {
  std::optional<std::error_code> denied;
  const bool ran = support::run_without({__NR_socket, 0, AF_NETLINK, EACCES}, [&] {
    const auto opened = change_watch::open(loop_.executor());
    if (!opened) denied = opened.error().code;
  });
  if (!ran) GTEST_SKIP() << "the kernel takes no filter";
  EXPECT_EQ(denied, std::errc::permission_denied);
}

TEST_F(change_watch_test, a_cancelled_wait_throws) {
  auto watch = change_watch::open(loop_.executor(), {.gathering = gathering});
  ASSERT_TRUE(watch);
  std::optional<std::error_code> ended;
  auto wait = [](change_watch& changes, std::optional<std::error_code>& into) -> async::task<> {
    try {
      co_await changes.changed();
    } catch (const boost::system::system_error& e) {
      into = e.code();
      throw;
    }
  };
  loop_.spawn(wait(*watch, ended));
  loop_.settle();
  EXPECT_EQ(ended, std::nullopt);
  loop_.stop();
  EXPECT_EQ(ended, std::errc::operation_canceled);
}

}  // namespace
}  // namespace netlink
