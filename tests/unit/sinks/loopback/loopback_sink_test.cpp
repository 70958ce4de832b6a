// The sink while the programs of iptables fail: against the real kernel and iptables-nft, in a network namespace of the
// test's own. The programs fail on demand.
#include "sinks/loopback/loopback_sink.hpp"

#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <sys/syscall.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <cerrno>
#include <deque>
#include <fstream>
#include <optional>

#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/run_task.hpp"
#include "tests/unit/sinks/loopback/nat_place.hpp"

namespace loopback {
namespace {

using namespace std::chrono_literals;
using ports::outcome_kind;
using ports::verb;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class loopback_sink_test : public nat_place {
 protected:
  void SetUp() override {
    nat_place::SetUp();
    if (!IsSkipped()) start();
  }
  // The real program, unless the script `<name>.fault` exists.
  std::string wrapped(const std::string& program) const {
    const auto file = directory_ / program;
    std::ofstream(file) << "#!/bin/sh\nif [ -e $0.fault ]; then . $0.fault; fi\nexec /usr/sbin/" << program
                        << " \"$@\"\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file.string();
  }
  void fail(const std::string& program, const std::string& script) const {
    std::ofstream(directory_ / (program + ".fault")) << script << '\n';
  }
  void recover() const {
    for (const auto* program : {"iptables-nft-save", "iptables-nft-restore"})
      std::filesystem::remove(directory_ / (std::string(program) + ".fault"));
  }
  void start() { start({}); }
  void start(loopback_options options) {
    options.rules.state_directory = directory_ / "state";
    options.rules.programs = {
        {netfilter::nat_variant::nft, wrapped("iptables-nft-save"), wrapped("iptables-nft-restore"), 300ms}};
    for (const auto& more : more_programs_) options.rules.programs.push_back(more);
    sink_.emplace(context_.get_executor(), std::move(options));
  }
  base::result<ports::peer_state> list() { return support::run_task(context_, sink_->list()); }
  ports::outcome apply(verb what, const ports::forward& target) {
    std::vector<ports::operation> batch{{what, target}};
    return support::run_task(context_, sink_->apply(std::move(batch))).at(0);
  }
  bool is_notified(std::chrono::milliseconds limit) {
    return support::run_task(context_, async::within(limit, sink_->changed())).has_value();
  }
  static async::task<> wait_for_notice(loopback_sink& sink, std::optional<bool>& notified) {
    notified = (co_await async::within(10s, sink.changed())).has_value();
  }
  async::task<bool> want_while_waiting() {
    std::optional<bool> notified;
    async::task_group tasks(co_await async::asio::this_coro::executor);
    tasks.spawn("wait", wait_for_notice(*sink_, notified));
    std::vector<ports::operation> batch{{verb::add, web_}};
    static_cast<void>(co_await sink_->apply(std::move(batch)));
    restore("*nat\n" + docker_rule("127.0.0.1", 8083, "172.17.0.2:80") + "COMMIT\n");
    while (!notified) co_await async::sleep_for(10ms);
    co_await tasks.join();
    co_return *notified;
  }
  // Runs so many handlers of the loop: the sink's tasks are suspended somewhere then.
  void step(int handlers) {
    for (int i = 0; i < handlers; ++i) {
      if (context_.stopped()) context_.restart();
      context_.run_one_for(20ms);
    }
  }
  static async::task<bool> end(loopback_sink& sink) {
    co_await sink.close();
    co_return true;
  }
  const ports::forward other_ = wanted_by("abc", key("127.0.0.1", 8082));
  std::vector<netfilter::nat_programs> more_programs_;
  boost::asio::io_context context_;
  std::optional<loopback_sink> sink_;
};

// For a container with a thousand ports on 0.0.0.0 the engine adds a rule every few milliseconds, and none matters.
TEST_F(loopback_sink_test, rules_of_others_matter_only_while_a_port_is_wanted) {
  ASSERT_TRUE(list());
  restore("*nat\n" + docker_rule("127.0.0.1", 8083, "172.17.0.2:80") + "COMMIT\n");
  EXPECT_FALSE(is_notified(700ms));
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  restore("*nat\n" + docker_rule("127.0.0.1", 8084, "172.17.0.2:80") + "COMMIT\n");
  EXPECT_TRUE(is_notified(10s));
  EXPECT_EQ(apply(verb::remove, web_).kind, outcome_kind::done);
  restore("*nat\n" + docker_rule("127.0.0.1", 8085, "172.17.0.2:80") + "COMMIT\n");
  EXPECT_FALSE(is_notified(700ms));
}

TEST_F(loopback_sink_test, a_port_that_is_wanted_meanwhile_makes_rules_matter) {
  ASSERT_TRUE(list());
  EXPECT_TRUE(support::run_task(context_, want_while_waiting()));
}

// The reason is longer than a small string; it was once freed twice.
TEST_F(loopback_sink_test, restore_fails_once_while_a_container_goes) {
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, other_).kind, outcome_kind::done);
  fail("iptables-nft-restore", "rm $0.fault; echo 'Another app is currently holding the xtables lock' >&2; exit 4");
  EXPECT_EQ(apply(verb::remove, web_).kind, outcome_kind::done);
  EXPECT_THAT(own_rules(), testing::ElementsAre(HasSubstr("--dport 8082")));
}

TEST_F(loopback_sink_test, a_lock_that_stays_held_is_reported_and_the_rest_goes_on_later) {
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  fail("iptables-nft-restore", "echo 'Another app is currently holding the xtables lock' >&2; exit 4");
  const auto failed = apply(verb::add, other_);
  EXPECT_EQ(failed.kind, outcome_kind::unknown);
  EXPECT_THAT(failed.reason, HasSubstr("xtables lock"));
  EXPECT_FALSE(list());
  recover();
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, other_).kind, outcome_kind::done);
  EXPECT_THAT(own_rules(), SizeIs(2));
}

TEST_F(loopback_sink_test, a_program_that_hangs_is_reported) {
  need_the_program();
  ASSERT_TRUE(list());
  fail("iptables-nft-restore", "exec sleep 60");
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::unknown);
  recover();
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
}

// An iptables-save that was killed or printed nothing must not count as "no engine", or route_localnet would go off.
TEST_F(loopback_sink_test, an_unreadable_table_changes_nothing) {
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, local_).kind, outcome_kind::done);
  EXPECT_EQ(route_localnet(), "1");
  const auto before = own_rules();
  for (const auto* fault : {"exit 0", "kill -9 $$", "exit 1", "echo '*nat'; exit 0", "exec sleep 60"}) {
    sink_.reset();  // killed; the next one has read nothing yet
    start();
    fail("iptables-nft-save", fault);
    EXPECT_FALSE(list()) << fault;
    EXPECT_EQ(own_rules(), before) << fault;
    EXPECT_EQ(route_localnet(), "1") << fault;
    recover();
    const auto listed = list();
    ASSERT_TRUE(listed) << fault;
    EXPECT_THAT(listed->held, SizeIs(2)) << fault;
    EXPECT_EQ(own_rules(), before) << fault;
  }
}

// A deleted container's rule would catch the packets of the next one.
TEST_F(loopback_sink_test, a_stale_rule_goes_while_the_text_is_unreadable) {
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, other_).kind, outcome_kind::done);
  restore("*nat\n-A DOCKER -p tcp --dport 1 -j RETURN\nCOMMIT\n");  // makes the last reading void
  fail("iptables-nft-restore", "exit 1");
  fail("iptables-nft-save", "exit 1");
  EXPECT_EQ(apply(verb::remove, web_).kind, outcome_kind::unknown);
  EXPECT_THAT(own_rules(), testing::ElementsAre(HasSubstr("--dport 8082")));
}

TEST_F(loopback_sink_test, route_localnet_goes_when_the_last_rule_that_needs_it_has_gone) {
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, local_).kind, outcome_kind::done);
  fail("iptables-nft-restore", "exit 4");
  EXPECT_EQ(apply(verb::remove, local_).kind, outcome_kind::unknown);
  recover();
  ASSERT_TRUE(list());
  EXPECT_THAT(own_rules(), IsEmpty());
  EXPECT_EQ(route_localnet(), "0");
}

// With route_localnet and no guard, every loopback listener would be within the peer's reach.
TEST_F(loopback_sink_test, route_localnet_stays_off_where_nothing_can_guard_it) {
  if (::access("/usr/sbin/iptables-legacy-restore", X_OK) != 0) GTEST_SKIP() << "iptables-legacy is not installed";
  const auto without_raw = directory_ / "restore-without-raw";
  std::ofstream(without_raw) << "#!/bin/sh\ninput=$(cat)\ncase \"$input\" in *'*raw'*) exit 1;; esac\n"
                                "printf '%s\\n' \"$input\" | exec /usr/sbin/iptables-legacy-restore \"$@\"\n";
  std::filesystem::permissions(without_raw, std::filesystem::perms::owner_all);
  support::run_or_throw({.argv = {"iptables-legacy", "-t", "nat", "-N", "DOCKER"}});
  const auto body = [&] {
    loopback_options options;
    options.rules.state_directory = directory_ / "state";
    options.rules.programs = {{netfilter::nat_variant::legacy, "/usr/sbin/iptables-legacy-save", without_raw.string()}};
    sink_.emplace(context_.get_executor(), std::move(options));
    ASSERT_TRUE(list());
    const auto outcome = apply(verb::add, local_);
    EXPECT_EQ(outcome.kind, outcome_kind::done) << outcome.reason;
    EXPECT_THAT(own_rules("legacy"), testing::ElementsAre(HasSubstr("--to-destination :"))) << "relayed instead";
    EXPECT_EQ(route_localnet(), "0");
  };
  if (!support::run_without({__NR_socket, 2, NETLINK_NETFILTER, EPROTONOSUPPORT}, body))
    GTEST_SKIP() << "the kernel takes no filter";
}

// The kernel may reject a rule for a moment only.
TEST_F(loopback_sink_test, a_rejected_rule_is_relayed_in_place_for_a_while) {
  need_the_program();
  ASSERT_TRUE(list());
  fail("iptables-nft-restore", "input=$(cat); case \"$input\" in *'-A " + tag +
                                   "'*8081*) echo 'line 3 failed' >&2; exit 1;; esac; "
                                   "printf '%s\\n' \"$input\" | exec /usr/sbin/iptables-nft-restore \"$@\"");
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  EXPECT_THAT(own_rules(), IsEmpty());
  EXPECT_EQ(apply(verb::add, other_).kind, outcome_kind::done) << "other ports have rules";
  EXPECT_THAT(own_rules(), SizeIs(1));
}

// The engine was switched to nft and has left its old chain in the legacy table. One failed reading of the nft table
// must not bring our rules there.
TEST_F(loopback_sink_test, rules_stay_in_their_table_while_it_is_unreadable) {
  if (::access("/usr/sbin/iptables-legacy-restore", X_OK) != 0) GTEST_SKIP() << "iptables-legacy is not installed";
  std::ofstream(directory_ / "old") << "*nat\n:DOCKER -\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
                                    << docker_rule("127.0.0.1", 8081, "172.17.0.9:80") << "COMMIT\n";
  support::run_or_throw({.argv = {"iptables-legacy-restore"}, .stdin_file = directory_ / "old"});
  more_programs_ = {
      {netfilter::nat_variant::legacy, "/usr/sbin/iptables-legacy-save", "/usr/sbin/iptables-legacy-restore"}};
  start();
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, other_).kind, outcome_kind::done);
  const auto before = own_rules();
  EXPECT_THAT(before, SizeIs(2));
  restore("*nat\n-A DOCKER -p tcp --dport 1 -j RETURN\nCOMMIT\n");  // makes the last reading void
  fail("iptables-nft-restore", "exit 1");
  fail("iptables-nft-save", "exit 1");
  EXPECT_FALSE(list());
  EXPECT_EQ(own_rules(), before);
  EXPECT_THAT(own_rules("legacy"), IsEmpty());
  recover();
  ASSERT_TRUE(list());
  EXPECT_EQ(own_rules(), before);
}

TEST_F(loopback_sink_test, a_table_that_cannot_be_read_at_the_end_keeps_no_other_from_being_cleaned) {
  if (::access("/usr/sbin/iptables-legacy-restore", X_OK) != 0) GTEST_SKIP() << "iptables-legacy is not installed";
  more_programs_ = {
      {netfilter::nat_variant::legacy, "/usr/sbin/iptables-legacy-save", "/usr/sbin/iptables-legacy-restore"}};
  start();
  ASSERT_TRUE(list());
  std::ofstream(directory_ / "old") << "*nat\n:" << tag << " -\n"
                                    << own_jumps << own_rule("listener", 9000, "127.0.0.1") << "COMMIT\n";
  support::run_or_throw({.argv = {"iptables-legacy-restore"}, .stdin_file = directory_ / "old"});
  ASSERT_THAT(own_rules("legacy"), SizeIs(1));
  restore("*nat\n-A DOCKER -p tcp --dport 1 -j RETURN\nCOMMIT\n");
  fail("iptables-nft-restore", "exit 1");
  fail("iptables-nft-save", "exit 1");
  EXPECT_TRUE(support::run_task(context_, end(*sink_)));
  EXPECT_THAT(own_rules("legacy"), IsEmpty());
}

// Without nftables api_guard is a rule of iptables-legacy, which takes a program and time.
TEST_F(loopback_sink_test, an_end_at_any_moment_leaves_no_rules) {
  if (::access("/usr/sbin/iptables-legacy-restore", X_OK) != 0) GTEST_SKIP() << "iptables-legacy is not installed";
  std::deque<boost::asio::cancellation_signal> stops;  // the loop may come to one after its task has ended
  const auto body = [&] {
    for (int steps = 0; steps < 40; steps += 1 + steps / 8) {
      loopback_options options;
      options.api = guarded_server{"192.168.127.1", 80};
      more_programs_ = {
          {netfilter::nat_variant::legacy, "/usr/sbin/iptables-legacy-save", "/usr/sbin/iptables-legacy-restore"}};
      start(std::move(options));
      std::vector<ports::operation> batch{{verb::add, web_}, {verb::add, local_}};
      auto listed = boost::asio::co_spawn(context_, sink_->list(), boost::asio::use_future);
      auto applied = boost::asio::co_spawn(context_, sink_->apply(std::move(batch)), boost::asio::use_future);
      auto& stop = stops.emplace_back();
      bool watched = false;
      boost::asio::co_spawn(context_, sink_->changed(),
                            boost::asio::bind_cancellation_slot(stop.slot(), [&](auto) { watched = true; }));
      step(steps);
      EXPECT_TRUE(support::run_task(context_, end(*sink_)));
      stop.emit(boost::asio::cancellation_type::terminal);
      while (!watched) step(1);
      EXPECT_EQ(listed.wait_for(0s), std::future_status::ready);
      EXPECT_EQ(applied.wait_for(0s), std::future_status::ready);
      EXPECT_THAT(own_rules("legacy"), IsEmpty()) << steps;
      const auto filter = support::run_or_throw({.argv = {"iptables-legacy-save", "-t", "filter"}});
      EXPECT_THAT(filter, testing::Not(HasSubstr(tag))) << steps;
    }
  };
  if (!support::run_without({__NR_socket, 2, NETLINK_NETFILTER, EPROTONOSUPPORT}, body))
    GTEST_SKIP() << "the kernel takes no filter";
}

TEST_F(loopback_sink_test, the_apis_guard_is_where_the_agent_finds_the_api) {
  if (::access("/usr/sbin/nft", X_OK) != 0) GTEST_SKIP() << "nftables is not installed";
  place_->ip({"address", "del", "192.168.127.2/24", "dev", "tap0"});
  place_->ip({"address", "add", "192.168.127.2/20", "dev", "tap0"});
  const auto tables = [] { return support::run_or_throw({.argv = {"nft", "list", "ruleset"}}); };
  const std::string none;
  for (const auto& [host, guarded] : std::vector<std::pair<std::string, std::string>>{
           {"192.168.127.1", "ip daddr 192.168.127.1 tcp dport 8080"},
           {"gateway.invalid", "ip daddr 192.168.112.1 tcp dport 8080"},  // the first of the tap's network
           {"fd00::1", "ip6 daddr fd00::1 tcp dport 8080"},
           {"127.0.0.1", none}}) {
    loopback_options options;
    options.api = guarded_server{host, 8080};
    start(std::move(options));
    ASSERT_TRUE(list());
    if (guarded.empty())
      EXPECT_THAT(tables(), testing::Not(HasSubstr("dport 8080"))) << "forwarded packets do not reach it";
    else
      EXPECT_THAT(tables(), HasSubstr(guarded)) << host;
    EXPECT_TRUE(support::run_task(context_, end(*sink_)));
    EXPECT_THAT(tables(), testing::Not(HasSubstr(tag + ":api"))) << host;
  }
}

TEST_F(loopback_sink_test, the_apis_name_is_looked_up_beside_the_ports) {
  if (::access("/usr/sbin/nft", X_OK) != 0) GTEST_SKIP() << "nftables is not installed";
  loopback_options options;
  options.api = guarded_server{"localhost", 8080};
  start(std::move(options));
  const auto guarded = [] {
    return support::run_or_throw({.argv = {"nft", "list", "ruleset"}}).contains("dport 8080");
  };
  ASSERT_TRUE(list());
  EXPECT_TRUE(guarded()) << "the name is not known yet";
  EXPECT_FALSE(is_notified(1s));
  EXPECT_FALSE(guarded()) << "it is a loopback address";
}

}  // namespace
}  // namespace loopback
