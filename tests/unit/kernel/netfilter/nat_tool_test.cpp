#include "kernel/netfilter/nat_tool.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <fstream>

#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"

namespace netfilter {
namespace {

using testing::HasSubstr;

class nat_tool_test : public testing::Test {
 protected:
  nat_tool_test() {
    std::signal(SIGPIPE, SIG_IGN);
  }  // as every program of ours does; some scripts do not read their input
  // A program that is this shell script.
  std::string program(const std::string& name, const std::string& script) {
    const auto file = directory_ / name;
    std::ofstream(file) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file.string();
  }
  base::result<nat_table> read(const std::string& save) {
    nat_tool tool({nat_variant::nft, program("save", save), "none"});
    return support::run_task(context_, tool.read({}));
  }
  base::result<pid_t> change(const std::string& restore) {
    nat_tool tool({nat_variant::nft, "none", program("restore", restore)});
    return support::run_task(context_, tool.change({"-A X -j Y"}));
  }
  support::temp_dir directory_;
  boost::asio::io_context context_;
};

TEST_F(nat_tool_test, reads_what_the_program_prints) {
  EXPECT_EQ(read("[ \"$*\" = '-t nat' ] && printf '*nat\\n:X -\\nCOMMIT\\n'")->chains, std::vector<std::string>{"X"});
}

TEST_F(nat_tool_test, a_table_that_cannot_be_read_is_not_an_empty_one) {
  EXPECT_FALSE(read("echo 'Could not fetch rule set generation id' >&2; exit 1"));
  EXPECT_FALSE(read("exit 0"));
  EXPECT_FALSE(read("echo '*nat'; kill -9 $$"));
  EXPECT_FALSE(read("printf '*nat\\n-A X -j Y\\n'"));
  EXPECT_EQ(read("printf '*nat\\nCOMMIT\\n'"), nat_table{});
}

TEST_F(nat_tool_test, a_lock_that_is_held_is_an_error) {
  EXPECT_EQ(read("exit 4").error().code, std::errc::resource_unavailable_try_again);
  EXPECT_EQ(change("exit 4").error().code, std::errc::resource_unavailable_try_again);
}

TEST_F(nat_tool_test, writes_a_transaction) {
  const auto seen = directory_ / "seen";
  EXPECT_GT(change("cat > " + seen.string()).value(), 0);
  std::ifstream file(seen);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "*nat\n-A X -j Y\nCOMMIT\n");
}

TEST_F(nat_tool_test, reads_single_chains) {
  const auto seen = directory_ / "seen";
  nat_tool tool({nat_variant::nft, "none",
                 program("restore", "cat > " + seen.string() + "; printf -- '-P X ACCEPT\\n-N Y\\n-A Y -j Z\\n'")});
  const auto table = support::run_task(context_, tool.read_chains({"X", "Y"}));
  EXPECT_EQ(table, (nat_table{{"X", "Y"}, {{"Y", {"-j", "Z"}}}, {}}));
  std::ifstream file(seen);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "*nat\n-S X\n-S Y\nCOMMIT\n");
}

TEST_F(nat_tool_test, reports_the_error_of_the_program) {
  const auto failed = change("echo 'iptables-restore: line 2 failed' >&2; exit 1");
  EXPECT_THAT(failed.error().message(), HasSubstr("line 2 failed"));
}

TEST(rejected_line, reads_all_forms) {
  EXPECT_EQ(rejected_line("iptables-nft-restore: line 3 failed: Bad rule (does a matching rule exist in that chain?)."),
            3);
  EXPECT_EQ(rejected_line("iptables-restore: line 2 failed"), 2);
  EXPECT_EQ(rejected_line("unknown protocol\nError occurred at line: 12\nTry"), 12);
  EXPECT_EQ(rejected_line("line of some kind 7"), std::nullopt);
  EXPECT_EQ(rejected_line("Another app is currently holding the xtables lock."), std::nullopt);
  EXPECT_EQ(rejected_line("line 99999999999999999999999"), std::nullopt);
}

}  // namespace
}  // namespace netfilter
