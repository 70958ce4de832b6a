// With a script in place of iptables-legacy-restore: it prints a chain and records changes. forward_guard_test and
// localnet_guard_test use the real program.
#include "kernel/netfilter/legacy_guard.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/text.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/kernel/netfilter/table_text.hpp"

namespace netfilter {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string one = "FORWARD -p tcp --dport 1 -m comment --comment TAG:one -j REJECT";
const std::string two = "FORWARD -p tcp --dport 2 -m comment --comment TAG:two -j REJECT";
const std::string stale = "FORWARD -p tcp --dport 3 -m comment --comment TAG:old -j REJECT";
const std::string foreign = "FORWARD -m comment --comment OTHER-TAG: -j ACCEPT";
const std::string plain = "FORWARD -j ACCEPT";

class legacy_guard_test : public testing::Test {
 protected:
  legacy_guard_test() {
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
    write_program("input=$(cat)\ncase \"$input\" in\n*'-S FORWARD'*) cat " + (directory_ / "chain").string() +
                  ";;\n*) echo \"$input\" >> " + (directory_ / "changes").string() + ";;\nesac");
    chain_is({});
  }
  void write_program(const std::string& script) const {
    std::ofstream(program_) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(program_, std::filesystem::perms::owner_all);
  }
  void chain_is(const std::vector<std::string>& rules) const {
    std::ofstream file(directory_ / "chain");
    file << "-P FORWARD ACCEPT\n";
    for (const auto& r : rules) file << "-A " << r << '\n';
  }
  base::result<> settle(const std::vector<std::string>& wanted, const std::string& table = "filter") {
    std::vector<rule_spec> rules;
    for (const auto& w : wanted) rules.push_back(parsed("-A " + w));
    const nat_tool tool({nat_variant::legacy, "none", program_.string()});
    return support::run_task(context_, settle_legacy_guard(tool, {table, "FORWARD", "TAG:"}, std::move(rules)));
  }
  // The changes, if the program was run for any, without the frame of the transaction.
  std::vector<std::string> changes_for(const std::vector<std::string>& wanted) {
    std::filesystem::remove(directory_ / "changes");
    const auto done = settle(wanted);
    EXPECT_TRUE(done) << done.error().message();
    const auto text = support::read_text(directory_ / "changes");
    if (text.empty()) return {};
    EXPECT_TRUE(text.starts_with("*filter\n") && text.ends_with("COMMIT\n")) << text;
    std::vector<std::string> lines;
    for (const auto line : base::split(text, '\n'))
      if (line.starts_with('-')) lines.emplace_back(line);
    return lines;
  }
  support::temp_dir directory_;
  const std::filesystem::path program_ = directory_ / "restore";
  boost::asio::io_context context_;
};

// Each insertion goes to the head: the last one is the first rule.
TEST_F(legacy_guard_test, inserts_the_rules_in_their_order_at_the_head) {
  chain_is({plain});
  EXPECT_THAT(changes_for({one, two}), ElementsAre("-I " + two, "-I " + one));
}

TEST_F(legacy_guard_test, changes_nothing_if_the_rules_are_at_the_head_already) {
  chain_is({one, two, plain, foreign});
  EXPECT_THAT(changes_for({one, two}), IsEmpty());
}

TEST_F(legacy_guard_test, moves_its_rules_in_front_of_those_that_an_engine_inserted) {
  chain_is({plain, one});
  EXPECT_THAT(changes_for({one}), ElementsAre("-D " + one, "-I " + one));
}

TEST_F(legacy_guard_test, restores_the_order) {
  chain_is({two, one});
  EXPECT_THAT(changes_for({one, two}), ElementsAre("-D " + two, "-D " + one, "-I " + two, "-I " + one));
}

TEST_F(legacy_guard_test, removes_rules_that_are_no_longer_wanted_and_no_foreign_ones) {
  chain_is({one, foreign, stale, plain});
  EXPECT_THAT(changes_for({one}), ElementsAre("-D " + one, "-D " + stale, "-I " + one));
}

TEST_F(legacy_guard_test, leaves_none_if_none_is_wanted) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  if (::access("/usr/sbin/iptables-legacy", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
  const support::netns place("legacyguard");
  const support::inside here(place);
  support::run_or_throw({.argv = {"iptables-legacy", "-t", "filter", "-S"},  // creates the table
                         .environment = {"XTABLES_LOCKFILE=" + (directory_ / "lock").string()}});
  chain_is({one, foreign, stale, plain});
  EXPECT_THAT(changes_for({}), ElementsAre("-D " + one, "-D " + stale));
  chain_is({foreign, plain});
  EXPECT_THAT(changes_for({}), IsEmpty());
}

TEST_F(legacy_guard_test, removes_a_second_copy) {
  chain_is({one, one});
  EXPECT_THAT(changes_for({one}), ElementsAre("-D " + one, "-D " + one, "-I " + one));
}

TEST_F(legacy_guard_test, a_chain_that_cannot_be_read_is_not_an_empty_one) {
  write_program("cat > /dev/null; echo broken >&2; exit 1");
  EXPECT_FALSE(settle({one}));
  EXPECT_FALSE(settle({one}, "no-such-table"));
}

TEST_F(legacy_guard_test, passes_on_why_a_change_failed) {
  chain_is({plain});
  write_program("input=$(cat)\ncase \"$input\" in *-S*) cat " + (directory_ / "chain").string() +
                ";; *) exit 4;; esac");
  const auto failed = settle({one});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, std::errc::resource_unavailable_try_again);
}

// iptables-legacy would create the table, to find nothing in it.
TEST_F(legacy_guard_test, an_absent_table_is_left_absent_if_nothing_is_wanted) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to read the names of the tables";
  std::filesystem::remove(program_);
  EXPECT_TRUE(settle({}, "no-such-table"));
  EXPECT_FALSE(settle({one}, "no-such-table")) << "the program is missing";
}

}  // namespace
}  // namespace netfilter
