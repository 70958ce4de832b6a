// The guard against the real kernel, in a network namespace of the test's own.
#include "sinks/loopback/api_guard.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"

namespace loopback {
namespace {

class api_guard_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/nft", X_OK) != 0) GTEST_SKIP() << "nftables is not installed";
    place_.emplace("guard");
    here_.emplace(*place_);
  }
  void TearDown() override {
    loop_.stop();
    guard_.reset();
  }
  void make(std::optional<guarded_server> api) {
    guard_.emplace(loop_.executor(), std::move(api), rules_, std::vector<netfilter::nat_programs>{});
  }
  async::task<bool> done(async::task<> work) {
    co_await std::move(work);
    co_return true;
  }
  void ensure() { EXPECT_TRUE(loop_.run(done(guard_->ensure()))); }
  void remove() { EXPECT_TRUE(loop_.run(done(guard_->remove()))); }
  static std::string nft(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "nft");
    return support::run_or_throw({.argv = std::move(arguments)});
  }
  static bool guarded(const std::string& address = "192.168.127.1") {
    return nft({"list", "ruleset"}).contains("ip daddr " + address + " tcp dport 8080");
  }
  static std::size_t rules() {
    const auto text = nft({"list", "ruleset"});
    std::size_t count = 0;
    for (auto at = text.find("dport"); at != std::string::npos; at = text.find("dport", at + 1)) ++count;
    return count;
  }

  const rule_options rules_;
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
  support::event_loop loop_;
  std::optional<api_guard> guard_;
};

TEST_F(api_guard_test, there_is_one_rule_however_often_it_is_ensured) {
  make(guarded_server{"192.168.127.1", 8080});
  EXPECT_FALSE(guarded()) << "it begins with the first call";
  for (int i = 0; i < 3; ++i) ensure();
  EXPECT_TRUE(guarded());
  EXPECT_EQ(rules(), 1U);
}

TEST_F(api_guard_test, takes_over_the_guard_of_an_earlier_run_with_another_address) {
  make(guarded_server{"192.168.127.9", 8080});
  ensure();
  make(guarded_server{"192.168.127.1", 8080});  // the former program has crashed
  ensure();
  EXPECT_TRUE(guarded());
  EXPECT_EQ(rules(), 1U);
}

TEST_F(api_guard_test, without_an_api_it_touches_nothing) {
  make(guarded_server{"192.168.127.1", 8080});
  ensure();
  make(std::nullopt);
  ensure();
  remove();
  EXPECT_TRUE(guarded()) << "nor the guard of another program with its tag";
}

TEST_F(api_guard_test, restores_the_guard_when_another_program_removes_it) {
  make(guarded_server{"192.168.127.1", 8080});
  ensure();
  loop_.spawn(guard_->keep());
  loop_.settle();
  for (int i = 0; i < 3; ++i) {
    nft({"flush", "ruleset"});
    EXPECT_TRUE(loop_.run_until([] { return guarded(); })) << i;
  }
}

TEST_F(api_guard_test, a_guard_that_was_removed_stays_removed) {
  make(guarded_server{"192.168.127.1", 8080});
  ensure();
  loop_.spawn(guard_->keep());
  loop_.settle();
  remove();
  EXPECT_EQ(rules(), 0U);
  ensure();
  nft({"add", "table", "ip", "another"});  // a notice for keep()
  loop_.settle();
  EXPECT_EQ(rules(), 0U);
}

TEST_F(api_guard_test, an_unknown_name_stands_for_the_first_address_of_the_taps_network) {
  place_->ip({"link", "add", "tap0", "type", "bridge"});
  place_->ip({"address", "add", "192.168.127.2/20", "dev", "tap0"});
  make(guarded_server{"gateway.invalid", 8080});
  ensure();
  EXPECT_TRUE(guarded("192.168.112.1"));
  place_->ip({"address", "del", "192.168.127.2/20", "dev", "tap0"});
  ensure();
  EXPECT_TRUE(guarded("192.168.127.1")) << "without the tap: that of its usual network";
  EXPECT_EQ(rules(), 1U);
}

}  // namespace
}  // namespace loopback
