// What the sink does when the programs of iptables fail: against the real kernel and iptables-nft, in a network
// namespace of the test's own, with programs that fail when the test says so.
#include "sinks/loopback/loopback_sink.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>

#include "base/text.hpp"
#include "io/task_group.hpp"
#include "io/timeout.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using namespace std::chrono_literals;
using ports::outcome_kind;
using ports::verb;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class LoopbackSink : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-nft-restore", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
    place_.emplace("sink");
    here_.emplace(*place_);
    place_->ip({"link", "add", "tap0", "type", "bridge"});
    place_->ip({"address", "add", "192.168.127.2/24", "dev", "tap0"});
    restore("*nat\n:DOCKER -\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n" + published() + "COMMIT\n");
    start();
  }
  static std::string published() {
    return docker_rule("127.0.0.1", 8081, "172.17.0.2:80") + docker_rule("127.0.0.1", 8082, "172.17.0.2:80");
  }
  void restore(const std::string& lines) const {
    std::ofstream(directory_ / "rules") << lines;
    support::run_or_throw({.argv = {"iptables-nft-restore", "--noflush"}, .stdin_file = directory_ / "rules"});
  }
  // The real program, but for what the file `<name>.fault` says to do instead.
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
  void start() {
    loopback_options options;
    options.rules.state_directory = directory_ / "state";
    options.rules.programs = {{nat_variant::nft, wrapped("iptables-nft-save"), wrapped("iptables-nft-restore"), 300ms}};
    sink_.emplace(context_.get_executor(), std::move(options));
  }
  base::result<ports::peer_state> list() { return support::run_task(context_, sink_->list()); }
  ports::outcome apply(verb what, const ports::forward& target) {
    std::vector<ports::operation> batch{{what, target}};
    return support::run_task(context_, sink_->apply(std::move(batch))).at(0);
  }
  bool is_notified(std::chrono::milliseconds limit) {
    return support::run_task(context_, io::within(limit, sink_->changed())).has_value();
  }
  static io::task<> wait_for_notice(loopback_sink& sink, std::optional<bool>& notified) {
    notified = (co_await io::within(10s, sink.changed())).has_value();
  }
  io::task<bool> want_while_waiting() {
    std::optional<bool> notified;
    io::task_group tasks(co_await io::asio::this_coro::executor);
    tasks.spawn("wait", wait_for_notice(*sink_, notified));
    std::vector<ports::operation> batch{{verb::add, web_}};
    static_cast<void>(co_await sink_->apply(std::move(batch)));
    restore("*nat\n" + docker_rule("127.0.0.1", 8083, "172.17.0.2:80") + "COMMIT\n");
    while (!notified) co_await io::sleep_for(10ms);
    co_await tasks.join();
    co_return *notified;
  }
  static std::vector<std::string> rules() {
    std::vector<std::string> lines;
    const auto text = support::run_or_throw({.argv = {"iptables-nft-save", "-t", "nat"}});
    for (const auto line : base::split(text, '\n'))
      if (line.starts_with("-A " + tag)) lines.emplace_back(line);
    return lines;
  }
  static std::string route_localnet() {
    std::string value;
    std::ifstream("/proc/sys/net/ipv4/conf/tap0/route_localnet") >> value;
    return value;
  }

  const ports::forward web_ = wanted_by("abc", key("127.0.0.1", 8081)),
                       other_ = wanted_by("abc", key("127.0.0.1", 8082)), local_ = listener(key("127.0.0.1", 9000));
  support::temp_dir directory_;
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
  boost::asio::io_context context_;
  std::optional<loopback_sink> sink_;
};

// A container of a thousand ports on 0.0.0.0: the engine adds a rule every few milliseconds, and none is of interest.
TEST_F(LoopbackSink, RulesOfOthersMatterOnlyWhileAPortIsWanted) {
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

TEST_F(LoopbackSink, APortThatIsWantedMeanwhileMakesRulesMatter) {
  ASSERT_TRUE(list());
  EXPECT_TRUE(support::run_task(context_, want_while_waiting()));
}

// It aborted with a double free: the reason is longer than a small string.
TEST_F(LoopbackSink, RestoreFailsOnceWhileAContainerGoes) {
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, other_).kind, outcome_kind::done);
  fail("iptables-nft-restore", "rm $0.fault; echo 'Another app is currently holding the xtables lock' >&2; exit 4");
  EXPECT_EQ(apply(verb::remove, web_).kind, outcome_kind::done);
  EXPECT_THAT(rules(), testing::ElementsAre(HasSubstr("--dport 8082")));
}

TEST_F(LoopbackSink, ALockThatStaysHeldIsReportedAndTheRestGoesOnLater) {
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
  EXPECT_THAT(rules(), SizeIs(2));
}

TEST_F(LoopbackSink, AProgramThatHangsIsReported) {
  ASSERT_TRUE(list());
  fail("iptables-nft-restore", "exec sleep 60");
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::unknown);
  recover();
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
}

// "iptables-save" that was killed or printed nothing counted as "no engine", and route_localnet went off.
TEST_F(LoopbackSink, AnUnreadableTableChangesNothing) {
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, local_).kind, outcome_kind::done);
  EXPECT_EQ(route_localnet(), "1");
  const auto before = rules();
  for (const auto* fault : {"exit 0", "kill -9 $$", "exit 1", "echo '*nat'; exit 0", "exec sleep 60"}) {
    sink_.reset();  // killed; the next one has read nothing yet
    start();
    fail("iptables-nft-save", fault);
    EXPECT_FALSE(list()) << fault;
    EXPECT_EQ(rules(), before) << fault;
    EXPECT_EQ(route_localnet(), "1") << fault;
    recover();
    const auto listed = list();
    ASSERT_TRUE(listed) << fault;
    EXPECT_THAT(listed->held, SizeIs(2)) << fault;
    EXPECT_EQ(rules(), before) << fault;
  }
}

// A rule of a container that has gone would catch the next one's packets.
TEST_F(LoopbackSink, AStaleRuleGoesWhileTheTextIsUnreadable) {
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, other_).kind, outcome_kind::done);
  restore("*nat\n-A DOCKER -p tcp --dport 1 -j RETURN\nCOMMIT\n");  // what was read is no longer good
  fail("iptables-nft-restore", "exit 1");
  fail("iptables-nft-save", "exit 1");
  EXPECT_EQ(apply(verb::remove, web_).kind, outcome_kind::unknown);
  EXPECT_THAT(rules(), testing::ElementsAre(HasSubstr("--dport 8082")));
}

TEST_F(LoopbackSink, RouteLocalnetGoesWhenTheLastRuleThatNeedsItHasGone) {
  ASSERT_TRUE(list());
  EXPECT_EQ(apply(verb::add, local_).kind, outcome_kind::done);
  fail("iptables-nft-restore", "exit 4");
  EXPECT_EQ(apply(verb::remove, local_).kind, outcome_kind::unknown);
  recover();
  ASSERT_TRUE(list());
  EXPECT_THAT(rules(), IsEmpty());
  EXPECT_EQ(route_localnet(), "0");
}

// A kernel's refusal that lasts a moment excluded the port until the next start.
TEST_F(LoopbackSink, ARejectedRuleIsRelayedInPlaceForAWhile) {
  ASSERT_TRUE(list());
  fail("iptables-nft-restore", "input=$(cat); case \"$input\" in *'-A " + tag +
                                   "'*8081*) echo 'line 3 failed' >&2; exit 1;; esac; "
                                   "printf '%s\\n' \"$input\" | exec /usr/sbin/iptables-nft-restore \"$@\"");
  EXPECT_EQ(apply(verb::add, web_).kind, outcome_kind::done);
  EXPECT_THAT(rules(), IsEmpty());
  EXPECT_EQ(apply(verb::add, other_).kind, outcome_kind::done) << "other ports are not concerned";
  EXPECT_THAT(rules(), SizeIs(1));
}

}  // namespace
}  // namespace loopback
