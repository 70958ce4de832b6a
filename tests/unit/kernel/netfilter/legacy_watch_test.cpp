// Against the real kernel and iptables-legacy, in a network namespace of the test's own.
#include "kernel/netfilter/legacy_watch.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/temp_dir.hpp"

namespace netfilter {
namespace {

using namespace std::chrono_literals;

class legacy_watch_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-legacy", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    place_.emplace("legacywatch");
    here_.emplace(*place_);
  }
  void TearDown() override { loop_.stop(); }

  static async::task<> count(legacy_watch& watch, int& notices) {
    for (;; ++notices) co_await watch.changed();
  }
  void start(legacy_watch_options options) {
    watch_.emplace(loop_.executor(), std::move(options), "test");
    loop_.spawn(count(*watch_, notices_));
  }
  // With a lock of its own: other programs of this machine use /run/xtables.lock.
  void add_chain(const char* name) {
    support::run_or_throw(
        {.argv = {"iptables-legacy", "-t", "nat", "-N", name}, .environment = {"XTABLES_LOCKFILE=" + lock_.string()}});
  }
  void settle() {
    loop_.run_until([] { return false; }, 700ms);
  }

  support::temp_dir directory_;
  const std::filesystem::path lock_ = directory_ / "xtables.lock";
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
  support::event_loop loop_;
  std::optional<legacy_watch> watch_;
  int notices_ = 0;
};

// A consumer without programs of iptables-legacy reads nothing; it must not be woken four times a second for ever.
TEST_F(legacy_watch_test, a_change_that_is_not_read_is_reported_once) {
  start({.lock = directory_ / "another.lock", .poll_first = 10ms, .poll_last = 20ms, .recheck = 20ms});
  add_chain("FOREIGN");
  ASSERT_TRUE(loop_.run_until([&] { return notices_ > 0; }));
  settle();  // a change without the lock leaves a suspicion
  const auto after = notices_;
  EXPECT_LE(after, 8) << "35 comparisons were made";
  add_chain("SECOND");
  EXPECT_TRUE(loop_.run_until([&] { return notices_ > after; }));
}

TEST_F(legacy_watch_test, with_the_lock_nothing_is_polled) {
  start({.lock = lock_, .poll_first = 10ms, .poll_last = 20ms});
  add_chain("FOREIGN");
  ASSERT_TRUE(loop_.run_until([&] { return notices_ > 0; }));
  settle();
  EXPECT_LE(notices_, 3) << "the change, and one reading on suspicion";
}

TEST_F(legacy_watch_test, a_machine_that_was_suspended_during_a_reading_is_suspicious_again_soon) {
  start({.lock = lock_, .recheck = 600s});
  add_chain("FOREIGN");
  ASSERT_TRUE(loop_.run_until([&] { return notices_ > 0; }));
  watch_->begin_reading();
  async::clock::advance(1h);
  watch_->end_reading();
  const auto before = notices_;
  support::run_or_throw({.argv = {"iptables-legacy", "-t", "nat", "-F", "FOREIGN"},
                         .environment = {"XTABLES_LOCKFILE=" + lock_.string()}});
  EXPECT_TRUE(loop_.run_until([&] { return notices_ > before; }));
}

// A kernel that denies the request may have any table: the size is unknown, and the error says why.
TEST_F(legacy_watch_test, a_table_that_cannot_be_read_is_not_an_absent_one) {
  add_chain("FOREIGN");
  int notices = 0;
  base::result<std::optional<legacy_size>> size;
  const bool ran = support::run_without({__NR_socket, 1, SOCK_RAW | SOCK_CLOEXEC, EPERM}, [&] {
    size = size_of_legacy_nat(family::ipv4);
    legacy_watch watch(loop_.executor(), {.lock = directory_ / "none.lock", .poll_first = 10ms, .poll_last = 20ms},
                       "test");
    EXPECT_TRUE(watch.has_tables());
    loop_.spawn(count(watch, notices));
    EXPECT_TRUE(loop_.run_until([&] { return notices > 0; }));
    loop_.stop();
  });
  if (!ran) GTEST_SKIP() << "the kernel takes no filter";
  EXPECT_FALSE(size);
  EXPECT_TRUE(size_of_legacy_nat(family::ipv4).value());
  EXPECT_EQ(size_of_legacy_nat(family::ipv6).value(), std::nullopt);
}

}  // namespace
}  // namespace netfilter
