// The settling against the real kernel and iptables-nft, in a network namespace of the test's own.
#include "sinks/loopback/nat_rules.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/unit/sinks/loopback/nat_place.hpp"

namespace loopback {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;

class nat_rules_test : public nat_place {
 protected:
  void TearDown() override {
    loop_.stop();
    rules_.reset();
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
  // Holds a TCP port at the tap; nothing if it is in use.
  static base::unique_fd hold(std::uint16_t port) {
    base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto at = net::to_sockaddr({net::address::v4(192, 168, 127, 2), port});
    if (::bind(fd.get(), at.get(), at.size) != 0 || ::listen(fd.get(), 1) != 0) fd.reset();
    return fd;
  }

  support::event_loop loop_;
  std::optional<nat_rules> rules_;
};

TEST_F(nat_rules_test, live_rules_of_an_earlier_run_are_adopted_only_on_request) {
  make({programs()});
  auto wanted = all_of({web_});
  ASSERT_TRUE(settle(wanted));
  ASSERT_THAT(own_rules(), ElementsAre(HasSubstr("--dport 8081")));
  make({programs()});  // the former program has crashed
  wanted_ports adopted;
  ASSERT_TRUE(settle(adopted, adopt_live::yes));
  EXPECT_THAT(adopted, ElementsAre(Key(web_.key)));
  EXPECT_THAT(own_rules(), ElementsAre(HasSubstr("--dport 8081")));
  wanted_ports none;
  ASSERT_TRUE(settle(none));
  EXPECT_THAT(none, IsEmpty());
  EXPECT_THAT(own_rules(), IsEmpty());
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
  ASSERT_EQ(own_rules().size(), 1U);
  std::filesystem::remove(save);
  std::filesystem::remove(restore);
  wanted = all_of({local_, listener(key("127.0.0.1", 9001))});
  auto settled = settle(wanted);
  ASSERT_TRUE(settled) << settled.error().message();
  settled = settle(wanted);  // the first one adds the rule without a program, and the next cannot read it any more
  ASSERT_TRUE(settled) << settled.error().message();
  EXPECT_THAT(*settled, IsEmpty());
  EXPECT_THAT(own_rules(), IsEmpty());
  EXPECT_FALSE(hold(9000)) << "a relay has it";
  EXPECT_FALSE(hold(9001));
  install();
  ASSERT_TRUE(settle(wanted));
  EXPECT_EQ(own_rules().size(), 2U);
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

// Its server may have stopped listening. The next settling after its end finds that.
TEST_F(nat_rules_test, route_localnet_stays_while_a_connection_needs_it) {
  make({programs()});
  auto wanted = all_of({local_});
  ASSERT_TRUE(settle(wanted));
  const net::endpoint at{net::address::loopback_v4(), 9000};
  auto server = support::bound_socket(SOCK_STREAM, at);
  const auto client = support::connected_socket(SOCK_STREAM, at, net::address::v4(192, 168, 127, 2));
  wanted.clear();
  ASSERT_TRUE(settle(wanted));
  EXPECT_THAT(own_rules(), IsEmpty());
  EXPECT_EQ(route_localnet(), "1");
  server.reset();
  ASSERT_TRUE(settle(wanted));
  EXPECT_EQ(route_localnet(), "0");
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
  ASSERT_EQ(own_rules().size(), 2U);
  ASSERT_EQ(route_localnet(), "1");
  EXPECT_TRUE(loop_.run(removed()));
  EXPECT_THAT(own_rules(), IsEmpty());
  EXPECT_EQ(route_localnet(), "0");
  make({});
  ASSERT_TRUE(settle(wanted));
  EXPECT_TRUE(loop_.run(removed()));
  EXPECT_TRUE(hold(9000));
}

}  // namespace
}  // namespace loopback
