// The source against the real kernel, in a network namespace of the test's own, with rules as the plugin writes them.
#include "sources/cni_portmap/iptables_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/temp_dir.hpp"

namespace cni_portmap {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Takes the right to read rules from the calling thread, or gives it back.
void set_net_admin(bool allowed) {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  ASSERT_EQ(::syscall(SYS_capget, &head, data), 0);
  const auto bit = 1U << CAP_NET_ADMIN;
  data[0].effective = allowed ? data[0].effective | bit : data[0].effective & ~bit;
  ASSERT_EQ(::syscall(SYS_capset, &head, data), 0);
}

class iptables_source_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-legacy", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    before_ = base::unique_fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    place_.emplace("iptables");
    const base::unique_fd there(::open(place_->path().c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(::setns(there.get(), CLONE_NEWNET), 0);
  }
  void TearDown() override {
    loop_.stop();
    source_.reset();
    if (before_) ::setns(before_.get(), CLONE_NEWNET);
  }

  static void run(std::vector<std::string> argv) { support::run_or_throw({.argv = std::move(argv)}); }
  // All lines at once, as one change.
  void restore(const std::string& program, const std::string& lines) {
    const auto file = directory_ / "rules";
    std::ofstream(file) << "*nat\n" << lines << "COMMIT\n";
    support::run_or_throw({.argv = {program + "-restore", "--noflush"}, .stdin_file = file});
  }
  void publish(const std::string& program, int port, const std::string& chain = "CNI-DN-a",
               const std::string& target = "10.4.0.7:80") {
    const bool first = dispatching_.insert(program).second;  // to name a chain again empties it
    restore(program, fmt::format("{3}:{0} -\n-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports {1} -j {0}\n"
                                 "-A {0} -p tcp --dport {1} -j DNAT --to-destination {2}\n",
                                 chain, port, target, first ? ":CNI-HOSTPORT-DNAT -\n" : ""));
  }
  // Without polling and resync, only an announced change is noticed.
  void start(netfilter::legacy_watch_options legacy = {.recheck = 600s}) {
    source_.emplace(loop_.executor(), iptables_options{.legacy = std::move(legacy), .resync = 600s});
    loop_.spawn(source_->run(feed_));
    ASSERT_TRUE(loop_.run_until([&] { return feed_.last || feed_.trouble; }));
  }
  void expect_ports(const std::set<std::uint16_t>& ports) {
    const bool right = loop_.run_until([&] { return feed_.host_ports() == ports; });
    EXPECT_TRUE(right) << feed_.host_ports().value_or(std::set<std::uint16_t>{}).size() << " ports";
  }

  std::set<std::string> dispatching_;  // programs whose table has the chain
  base::unique_fd before_;
  std::optional<support::netns> place_;
  support::temp_dir directory_;
  support::recording_feed feed_;
  support::event_loop loop_;
  std::optional<iptables_source> source_;
};

TEST_F(iptables_source_test, nothing_is_there_and_nothing_is_brought_into_being) {
  start();
  expect_ports({});
  EXPECT_FALSE(netfilter::has_legacy_nat(netfilter::family::ipv4).value());
  EXPECT_FALSE(netfilter::has_legacy_nat(netfilter::family::ipv6).value());
  EXPECT_EQ(support::run_or_throw({.argv = {"nft", "list", "tables"}}), "");
}

TEST_F(iptables_source_test, changes_are_announced_by_every_backend) {
  start();
  publish("iptables-nft", 8001);
  expect_ports({8001});
  publish("ip6tables-nft", 8002, "CNI-DN-b", "[fd00::7]:80");
  expect_ports({8001, 8002});
  publish("iptables-legacy", 8003, "CNI-DN-c");
  expect_ports({8001, 8002, 8003});
  publish("ip6tables-legacy", 8004, "CNI-DN-d", "[fd00::7]:80");
  expect_ports({8001, 8002, 8003, 8004});
  run({"nft",
       "add table ip cni_hostport; add chain ip cni_hostport hostports; add rule ip cni_hostport hostports "
       "tcp dport 8005 dnat to 10.4.0.7:80 comment \"default-web\""});
  expect_ports({8001, 8002, 8003, 8004, 8005});
  run({"iptables-nft", "-t", "nat", "-F", "CNI-DN-a"});
  run({"iptables-legacy", "-t", "nat", "-F", "CNI-DN-c"});
  run({"nft", "delete table ip cni_hostport"});
  expect_ports({8002, 8004});
}

TEST_F(iptables_source_test, what_was_there_before_is_found) {
  publish("iptables-nft", 8001);
  publish("iptables-legacy", 8003, "CNI-DN-c");
  start();
  expect_ports({8001, 8003});
  EXPECT_EQ(feed_.last->bindings[0].owner, "CNI-DN-a");
  EXPECT_EQ(feed_.last->epoch, 1);
}

// Docker's, kube-proxy's, and those of a container that the dispatch chain does not know.
TEST_F(iptables_source_test, other_chains_are_not_ours) {
  for (const char* program : {"iptables-nft", "iptables-legacy"})
    restore(
        program,
        ":DOCKER -\n:KUBE-NODEPORTS -\n:CNI-DN-x -\n-A DOCKER -p tcp --dport 1 -j DNAT --to-destination 10.0.0.1:1\n"
        "-A KUBE-NODEPORTS -p tcp --dport 2 -j DNAT --to-destination 10.0.0.1:1\n"
        "-A CNI-DN-x -p tcp --dport 3 -j DNAT --to-destination 10.0.0.1:1\n");
  start();
  publish("iptables-nft", 8001);
  expect_ports({8001});
}

TEST_F(iptables_source_test, what_cannot_be_read_is_not_nothing) {
  publish("iptables-nft", 8001);
  start();
  expect_ports({8001});
  set_net_admin(false);
  publish("iptables-nft", 8002, "CNI-DN-b");
  EXPECT_TRUE(loop_.run_until([&] { return feed_.trouble.has_value(); }));
  EXPECT_THAT(feed_.trouble->message(), HasSubstr("Operation not permitted"));
  EXPECT_EQ(feed_.host_ports(), std::set<std::uint16_t>{8001});
  set_net_admin(true);
  expect_ports({8001, 8002});
  EXPECT_EQ(feed_.last->epoch, 2);
  const auto publications = feed_.publications;
  for (int i = 0; i < 5; ++i) {
    loop_.pass_time(10s);
    loop_.run_until([] { return false; }, 20ms);
  }
  EXPECT_EQ(feed_.publications, publications) << "the retries have ended";
}

// One for another: the table's size stays.
TEST_F(iptables_source_test, a_legacy_table_that_keeps_its_size_is_read_all_the_same) {
  publish("iptables-legacy", 8001);
  start();
  expect_ports({8001});
  run({"iptables-legacy", "-t", "nat", "-R", "CNI-DN-a", "1", "-p", "tcp", "--dport", "8003", "-j", "DNAT",
       "--to-destination", "10.4.0.7:80"});
  expect_ports({8003});
}

TEST_F(iptables_source_test, a_legacy_table_is_polled_where_its_lock_is_not_seen) {
  start({.lock = directory_ / "none" / "lock", .poll_first = 5ms, .poll_last = 20ms});
  publish("iptables-legacy", 8001);
  expect_ports({8001});
  publish("iptables-legacy", 8002, "CNI-DN-b");
  expect_ports({8001, 8002});
  run({"iptables-legacy", "-t", "nat", "-R", "CNI-DN-b", "1", "-p", "tcp", "--dport", "8003", "-j", "DNAT",
       "--to-destination", "10.4.0.7:80"});
  expect_ports({8001, 8003});
}

TEST_F(iptables_source_test, a_poll_takes_the_place_of_a_lock_that_tells_nothing) {
  start({.lock = directory_ / "lock", .poll_first = 5ms, .poll_last = 20ms, .recheck = 100ms});
  publish("iptables-legacy", 8001);  // takes another lock
  expect_ports({8001});
  publish("iptables-legacy", 8002, "CNI-DN-b");
  expect_ports({8001, 8002});
}

TEST_F(iptables_source_test, a_poll_takes_the_place_of_announcements_that_the_kernel_denies) {
  EXPECT_LE(iptables_options{}.poll, 2s);
  const auto body = [this] {
    testing::internal::CaptureStderr();
    source_.emplace(loop_.executor(), iptables_options{.legacy = {.recheck = 600s}, .resync = 600s, .poll = 20ms});
    loop_.spawn(source_->run(feed_));
    publish("iptables-nft", 8001);
    expect_ports({8001});
    publish("iptables-nft", 8002, "CNI-DN-b");
    expect_ports({8001, 8002});
    const auto log = testing::internal::GetCapturedStderr();
    const std::string_view words = "cannot watch nftables for changes, polling";
    EXPECT_NE(log.find(words), std::string::npos) << log;
    EXPECT_EQ(log.find(words), log.rfind(words)) << "once";
  };
  if (!support::run_without({__NR_setsockopt, 2, SO_ATTACH_FILTER, EPERM}, body))
    GTEST_SKIP() << "the kernel takes no filter";
}

// 20,000 rules beside: what is not CNI's is not read.
TEST_F(iptables_source_test, kube_proxys_rules_beside) {
  std::string chains = ":KUBE-SERVICES -\n", rules;
  for (int i = 0; i < 10'000; ++i) {
    chains += fmt::format(":KUBE-SEP-{} -\n", i);
    rules += fmt::format(
        "-A KUBE-SERVICES -d 10.43.{0}.{1}/32 -p tcp -m tcp --dport 80 -j KUBE-SEP-{2}\n"
        "-A KUBE-SEP-{2} -p tcp -m tcp -j DNAT --to-destination 10.42.{0}.{1}:80\n",
        i / 250, i % 250, i);
  }
  for (const char* program : {"iptables-nft", "iptables-legacy"}) restore(program, chains + rules);
  start();
  expect_ports({});
  publish("iptables-nft", 8001);
  publish("iptables-legacy", 8002, "CNI-DN-b");
  expect_ports({8001, 8002});
  for (const char* program : {"iptables-nft", "iptables-legacy"})
    run({program, "-t", "nat", "-F", "CNI-HOSTPORT-DNAT"});
  expect_ports({});
}

// The machine sleeps for an hour in the first reading.
struct suspended_feed : support::recording_feed {
  void publish(ports::source_id id, ports::snapshot now) override {
    if (!last) async::clock::advance(1h);
    recording_feed::publish(id, std::move(now));
  }
};

TEST_F(iptables_source_test, a_change_after_a_reading_in_which_the_machine_was_suspended_is_read_within_two_seconds) {
  suspended_feed feed;
  source_.emplace(loop_.executor(), iptables_options{.legacy = {.recheck = 600s}, .resync = 600s});
  loop_.spawn(source_->run(feed));
  ASSERT_TRUE(loop_.run_until([&] { return feed.last.has_value(); }));
  publish("iptables-nft", 8001);
  loop_.pass_time(2s);
  EXPECT_TRUE(loop_.run_until([&] { return feed.host_ports() == std::set<std::uint16_t>{8001}; }));
  loop_.stop();
}

// The engine says that a container stopped, and that it runs again; the rules stay as they are.
TEST_F(iptables_source_test, a_container_that_does_not_run_publishes_nothing) {
  const auto stopped = std::make_shared<engine::stopped_containers>(loop_.executor());
  restore("iptables-nft",
          ":CNI-HOSTPORT-DNAT -\n:CNI-DN-a -\n"
          "-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"bridge\\\" id: \\\"default-web\\\"\" "
          "-m multiport --dports 8080 -j CNI-DN-a\n"
          "-A CNI-DN-a -p tcp --dport 8080 -j DNAT --to-destination 10.4.0.7:80\n");
  source_.emplace(loop_.executor(), iptables_options{.stopped = stopped, .legacy = {.recheck = 600s}, .resync = 600s});
  loop_.spawn(source_->run(feed_));
  expect_ports({8080});
  stopped->update({{"default/web", true}, {"default/other", true}});
  expect_ports({});
  stopped->update({{"default/web", false}});
  expect_ports({8080});
}

}  // namespace
}  // namespace cni_portmap
