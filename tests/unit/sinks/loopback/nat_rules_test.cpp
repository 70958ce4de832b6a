// The settling against the real kernel and iptables-nft, in a network namespace of the test's own.
#include "sinks/loopback/nat_rules.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;

class nat_rules_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-nft-restore", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
    place_.emplace("rules");
    here_.emplace(*place_);
    place_->ip({"link", "add", "tap0", "type", "bridge"});
    place_->ip({"address", "add", "192.168.127.2/24", "dev", "tap0"});
    restore("*nat\n:DOCKER -\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n" +
            docker_rule("127.0.0.1", 8081, "172.17.0.2:80") + docker_rule("127.0.0.1", 8082, "172.17.0.2:80") +
            "COMMIT\n");
  }
  void TearDown() override {
    loop_.stop();
    rules_.reset();
  }
  void restore(const std::string& lines) const {
    std::ofstream(directory_ / "rules") << lines;
    support::run_or_throw({.argv = {"iptables-nft-restore", "--noflush"}, .stdin_file = directory_ / "rules"});
  }
  // The engine's rule for port 8081 gets a match that this program does not know, so that only the program can copy it.
  void need_the_program() const {
    restore(
        "*nat\n-I DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 8081 -m addrtype --dst-type LOCAL -j DNAT "
        "--to-destination 172.17.0.2:80\nCOMMIT\n");
  }
  // A restore that reads as usual. It notes each change in the file `calls`, and fails.
  std::string failing_restore() const {
    const auto file = directory_ / "iptables-nft-restore";
    std::ofstream(file) << "#!/bin/sh\ninput=$(cat)\ncase \"$input\" in *'-A '*|*'-I '*|*'-D '*) echo call >> "
                        << (directory_ / "calls").string()
                        << "\necho 'Another app is currently holding the xtables lock' >&2\nexit 4;; esac\n"
                           "printf '%s\\n' \"$input\" | exec /usr/sbin/iptables-nft-restore \"$@\"\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file.string();
  }
  [[nodiscard]] long calls() const {
    std::ifstream file(directory_ / "calls");
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  }
  static netfilter::nat_programs programs(const std::string& restore = "/usr/sbin/iptables-nft-restore") {
    return {netfilter::nat_variant::nft, "/usr/sbin/iptables-nft-save", restore};
  }
  void make(std::vector<netfilter::nat_programs> programs) {
    nat_rules_options o;
    o.state_directory = directory_ / "state";
    o.programs = std::move(programs);
    rules_.emplace(loop_.executor(), std::move(o));
  }
  auto settle(wanted_ports& wanted, adopt_live adopt = adopt_live::no) {
    return loop_.run(rules_->settle(wanted, adopt));
  }
  async::task<bool> removed() {
    co_await rules_->remove_all();
    co_return true;
  }
  static std::vector<std::string> lines() {
    std::vector<std::string> found;
    const auto text = support::run_or_throw({.argv = {"iptables-nft-save", "-t", "nat"}});
    for (const auto line : base::split(text, '\n'))
      if (line.starts_with("-A " + tag)) found.emplace_back(line);
    return found;
  }
  std::string route_localnet() const {
    std::string value;
    std::ifstream("/proc/sys/net/ipv4/conf/tap0/route_localnet") >> value;
    return value;
  }
  // Holds a TCP port at the tap; nothing if it is in use.
  static base::unique_fd hold(std::uint16_t port) {
    base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto at = net::to_sockaddr({net::address::v4(192, 168, 127, 2), port});
    if (::bind(fd.get(), at.get(), at.size) != 0 || ::listen(fd.get(), 1) != 0) fd.reset();
    return fd;
  }

  const ports::forward web_ = wanted_by("abc", key("127.0.0.1", 8081)), local_ = listener(key("127.0.0.1", 9000));
  support::temp_dir directory_;
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
  support::event_loop loop_;
  std::optional<nat_rules> rules_;
};

TEST_F(nat_rules_test, live_rules_of_an_earlier_run_are_adopted_only_on_request) {
  make({programs()});
  auto wanted = all_of({web_});
  ASSERT_TRUE(settle(wanted));
  ASSERT_THAT(lines(), ElementsAre(HasSubstr("--dport 8081")));
  make({programs()});  // the former program has crashed
  wanted_ports adopted;
  ASSERT_TRUE(settle(adopted, adopt_live::yes));
  EXPECT_THAT(adopted, ElementsAre(Key(web_.key)));
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("--dport 8081")));
  wanted_ports none;
  ASSERT_TRUE(settle(none));
  EXPECT_THAT(none, IsEmpty());
  EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(nat_rules_test, a_table_that_is_right_is_not_written) {
  make({programs()});
  auto wanted = all_of({web_});
  ASSERT_TRUE(settle(wanted));
  make({programs(failing_restore())});
  EXPECT_TRUE(settle(wanted)) << "after a restart";
  EXPECT_TRUE(settle(wanted));
  EXPECT_EQ(calls(), 0);
}

TEST_F(nat_rules_test, a_change_that_fails_is_tried_six_times_and_once_at_the_end) {
  need_the_program();
  make({programs(failing_restore())});
  auto wanted = all_of({web_});
  const auto failed = settle(wanted);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("xtables lock"));
  EXPECT_EQ(calls(), 6);
  rules_->hurry();
  EXPECT_FALSE(settle(wanted));
  EXPECT_EQ(calls(), 7);
}

TEST_F(nat_rules_test, without_a_nat_table_relays_listen_on_the_ports_themselves) {
  make({});
  auto wanted = all_of({local_});
  const auto settled = settle(wanted);
  ASSERT_TRUE(settled) << settled.error().message();
  EXPECT_THAT(*settled, IsEmpty());
  EXPECT_FALSE(hold(9000)) << "the relay has it";
  wanted.clear();
  ASSERT_TRUE(settle(wanted));
  EXPECT_TRUE(hold(9000)) << "it is closed when the port is not wanted any more";
}

TEST_F(nat_rules_test, relays_replace_the_rules_while_iptables_is_gone) {
  const auto save = directory_ / "iptables-nft-save", restore = directory_ / "iptables-nft-restore";
  const auto install = [&] {
    std::filesystem::create_symlink("/usr/sbin/iptables-nft-save", save);
    std::filesystem::create_symlink("/usr/sbin/iptables-nft-restore", restore);
  };
  install();
  make({{netfilter::nat_variant::nft, save, restore}});
  auto wanted = all_of({local_});
  ASSERT_TRUE(settle(wanted));
  ASSERT_EQ(lines().size(), 1U);
  std::filesystem::remove(save);
  std::filesystem::remove(restore);
  wanted = all_of({local_, listener(key("127.0.0.1", 9001))});
  auto settled = settle(wanted);
  ASSERT_TRUE(settled) << settled.error().message();
  settled = settle(wanted);  // the first one adds the rule without a program, and the next cannot read it any more
  ASSERT_TRUE(settled) << settled.error().message();
  EXPECT_THAT(*settled, IsEmpty());
  EXPECT_THAT(lines(), IsEmpty());
  EXPECT_FALSE(hold(9000)) << "a relay has it";
  EXPECT_FALSE(hold(9001));
  install();
  ASSERT_TRUE(settle(wanted));
  EXPECT_EQ(lines().size(), 2U);
  EXPECT_TRUE(hold(9000));
}

// No notice comes of programs, and no rule changes: an interval finds them.
TEST_F(nat_rules_test, an_interval_notices_that_iptables_is_back) {
  const auto save = directory_ / "iptables-nft-save", restore = directory_ / "iptables-nft-restore";
  const auto install = [&] {
    std::filesystem::create_symlink("/usr/sbin/iptables-nft-save", save);
    std::filesystem::create_symlink("/usr/sbin/iptables-nft-restore", restore);
  };
  make({{netfilter::nat_variant::nft, save, restore}});
  auto wanted = all_of({local_});
  testing::internal::CaptureStderr();
  install();
  EXPECT_TRUE(settle(wanted));
  std::filesystem::remove(save);
  std::filesystem::remove(restore);
  wanted = all_of({web_});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(settle(wanted));  // until the rules are as the last one read them
  bool due = false;
  auto wait = [](nat_rules& rules, bool& flag) -> async::task<> {
    co_await rules.changed();
    flag = true;
  };
  loop_.spawn(wait(*rules_, due));
  loop_.settle();
  for (int i = 0; i < 2; ++i) loop_.pass_time(std::chrono::seconds(31));
  EXPECT_FALSE(due);
  install();
  for (int i = 0; i < 2; ++i) loop_.pass_time(std::chrono::seconds(31));  // and the pause before the next settling
  EXPECT_TRUE(loop_.run_until([&] { return due; }));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::Not(HasSubstr("no engine publishes")))
      << "it is unknown while iptables is gone";
}

TEST_F(nat_rules_test, a_port_that_another_program_holds_is_a_trouble_of_its_own) {
  make({});
  const auto other = hold(9000);
  ASSERT_TRUE(other);
  auto wanted = all_of({local_, listener(key("127.0.0.1", 9001))});
  const auto settled = settle(wanted);
  ASSERT_TRUE(settled) << settled.error().message();
  ASSERT_THAT(*settled, ElementsAre(Key(local_.key)));
  EXPECT_EQ(settled->begin()->second.kind, ports::outcome_kind::conflict);
  EXPECT_FALSE(hold(9001)) << "the other port is served";
}

TEST_F(nat_rules_test, at_the_end_no_rule_relay_or_setting_is_left) {
  make({programs()});
  auto wanted = all_of({web_, local_});
  ASSERT_TRUE(settle(wanted));
  ASSERT_EQ(lines().size(), 2U);
  ASSERT_EQ(route_localnet(), "1");
  EXPECT_TRUE(loop_.run(removed()));
  EXPECT_THAT(lines(), IsEmpty());
  EXPECT_EQ(route_localnet(), "0");
  make({});
  ASSERT_TRUE(settle(wanted));
  EXPECT_TRUE(loop_.run(removed()));
  EXPECT_TRUE(hold(9000));
}

}  // namespace
}  // namespace loopback
