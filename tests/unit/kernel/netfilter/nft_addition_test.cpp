// Against the real kernel and iptables-nft, in network namespaces of the test's own.
#include "kernel/netfilter/nft_addition.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/nft_addition_codec.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/kernel/netfilter/table_text.hpp"

namespace netfilter {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

const std::string syn = " --tcp-flags FIN,SYN,RST,ACK SYN";
const std::string comment = " -m comment --comment rancher-desktop-guestagent:abc";

// Every form in which this program adds rules.
const std::vector<std::string> forms{
    ":TAG -",
    "-A TAG ! -i docker0 -p tcp -m tcp --dport 20000" + syn + comment + " -j DNAT --to-destination 172.17.0.2:80",
    "-A TAG ! -i docker0 -p udp -m udp --dport 20000" + comment + " -j DNAT --to-destination 172.17.0.2:53",
    "-A TAG -p tcp -m tcp --dport 20001" + syn + comment + " -j DNAT --to-destination 127.0.0.1",
    "-A TAG -p udp -m udp --dport 20001" + comment + " -j DNAT --to-destination :4567",
    "-A TAG -d 192.168.1.2/32 -p tcp -m tcp --dport 20002" + syn + comment + " -j DNAT --to-destination :4568",
    "-A TAG -p tcp -m tcp --dport 20003" + comment + " -j DNAT --to-destination 10.4.0.2:80",
    "-A PREROUTING -s 192.168.127.0/24 -d 192.168.127.2/32 -i eth0" + comment + " -j TAG",
    "-A PREROUTING -s 192.168.126.0/23 -d 192.168.127.2/32 -i veth0" + comment + " -j TAG",
};

class nft_addition_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-nft-restore", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    move("one");
  }
  // To a fresh namespace with an engine's chain.
  void move(const std::string& name) {
    here_.reset();
    place_.emplace(name);
    here_.emplace(*place_);
    restore({":DOCKER -", "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"});
  }
  void restore(const std::vector<std::string>& lines) const {
    std::ofstream(directory_ / "rules") << restore_input(lines);
    support::run_or_throw({.argv = {"iptables-nft-restore", "--noflush"}, .stdin_file = directory_ / "rules"});
  }
  static base::result<pid_t> add(const std::vector<std::string>& lines) {
    return add_nft_rules(addition_request("nat", lines).value(), lines.size());
  }
  // Without the times in its comments.
  static std::string saved() {
    const auto text = support::run_or_throw({.argv = {"iptables-nft-save", "-t", "nat"}});
    return text.substr(text.find("*nat"), text.find("COMMIT") - text.find("*nat"));
  }
  static std::vector<std::string> rules(const std::string& chain) {
    return lines_of(parse_nat_table(saved() + "COMMIT\n").value(), chain);
  }

  support::temp_dir directory_;
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
};

TEST_F(nft_addition_test, iptables_save_prints_the_same_as_after_iptables_restore) {
  const auto by = add(forms);
  ASSERT_TRUE(by) << by.error().message();
  EXPECT_EQ(*by, ::gettid());
  const auto ours = saved();
  move("two");
  restore(forms);
  EXPECT_EQ(ours, saved());
  EXPECT_THAT(rules("TAG"), SizeIs(6));
}

TEST_F(nft_addition_test, iptables_finds_and_deletes_each_rule_by_its_words) {
  ASSERT_TRUE(add(forms));
  std::vector<std::string> deletions;
  for (const auto& line : forms)
    if (line.starts_with("-A")) deletions.push_back("-D" + line.substr(2));
  restore(deletions);
  EXPECT_THAT(rules("TAG"), IsEmpty());
  EXPECT_THAT(rules("PREROUTING"), SizeIs(1));
}

TEST_F(nft_addition_test, a_refused_line_leaves_everything_as_it_is) {
  ASSERT_TRUE(add(forms));
  const auto before = saved();
  for (const auto& [line, why] : {std::pair{"-A NONE -p tcp -j DNAT --to-destination :80", ENOENT},
                                  std::pair{"-A TAG -j NONE", ENOENT}, std::pair{":TAG -", EEXIST}}) {
    const auto done = add({":NEW -", forms[1], line});
    ASSERT_FALSE(done) << line;
    EXPECT_EQ(done.error().code.value(), why) << line;
    EXPECT_TRUE(is_nothing_added(done.error()));
    EXPECT_EQ(saved(), before);
  }
}

TEST_F(nft_addition_test, thousands_are_one_transaction) {
  std::vector<std::string> lines{":TAG -"};
  for (int port = 1; port <= 10'000; ++port)
    lines.push_back(
        fmt::format("-A TAG -p tcp -m tcp --dport {}{}{} -j DNAT --to-destination 10.0.0.1:80", port, syn, comment));
  const auto done = add(lines);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_THAT(rules("TAG"), SizeIs(10'000));
}

TEST(nft_addition, after_a_lost_answer_nobody_knows) {
  for (const auto code : {std::errc::timed_out, std::errc::no_buffer_space, std::errc::operation_in_progress})
    EXPECT_FALSE(is_nothing_added({std::make_error_code(code), ""}));
  for (const int number : {ENOENT, EEXIST, EPERM, EOPNOTSUPP, EMSGSIZE})
    EXPECT_TRUE(is_nothing_added({std::error_code(number, std::system_category()), ""}));
}

}  // namespace
}  // namespace netfilter
