// Against the real kernel and iptables-nft, in a network namespace of the test's own.
#include "kernel/netfilter/nft_removal.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "kernel/netfilter/nft_reader.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/temp_dir.hpp"

namespace netfilter {
namespace {

using testing::SizeIs;

class nft_removal_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-nft-restore", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    place_.emplace("removal");
    here_.emplace(*place_);
  }
  void add_rules(int count) {
    std::ofstream text(directory_ / "rules");
    text << "*nat\n:X -\n";
    for (int port = 1; port <= count; ++port)
      text << fmt::format("-A X -p tcp -m tcp --dport {} -j DNAT --to-destination 10.0.0.1:80\n", port);
    text << "COMMIT\n";
    text.close();
    support::run_or_throw({.argv = {"iptables-nft-restore"}, .stdin_file = directory_ / "rules"});
  }
  // The first answer of the kernel that is in time, on a machine that may be busy.
  template <class Question>
  static auto in_time(Question ask) {
    auto answer = ask();
    const auto late = [&] { return !answer && answer.error().code == std::errc::timed_out; };
    for (int again = 0; again < 100 && late(); ++again) answer = ask();
    return answer;
  }
  static rules_dump rules() {
    return in_time([] { return nft_reader::open()->dump({family::ipv4, "nat", "X"}); }).value();
  }

  support::temp_dir directory_;
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
};

TEST_F(nft_removal_test, takes_out_the_rules_that_are_named) {
  add_rules(5);
  const auto before = rules();
  const std::vector<rule_place> places{{"X", before.handles[3]}, {"X", before.handles[0]}};
  EXPECT_EQ(remove_nft_rules("nat", places).value(), ::gettid());
  const auto after = rules();
  ASSERT_THAT(after.rules, SizeIs(3));
  EXPECT_EQ(after.rules[0].port, 2);
  EXPECT_EQ(after.rules[1].port, 3);
  EXPECT_EQ(after.rules[2].port, 5);
}

TEST_F(nft_removal_test, takes_out_nothing_where_one_is_not_there) {
  add_rules(3);
  const auto before = rules();
  EXPECT_EQ(remove_nft_rules("nat", std::vector<rule_place>{{"X", before.handles[0]}, {"X", 4711}}).error().code,
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(remove_nft_rules("nat", std::vector<rule_place>{{"NONE", 1}}).error().code,
            std::errc::no_such_file_or_directory);
  EXPECT_THAT(rules().rules, SizeIs(3));
}

TEST_F(nft_removal_test, thousands_go_in_parts) {
  add_rules(2'500);
  const auto remove = [] {  // those that are left, if an answer was late
    std::vector<rule_place> places;
    for (const auto handle : rules().handles) places.push_back({"X", handle});
    return remove_nft_rules("nat", places);
  };
  EXPECT_TRUE(in_time(remove));
  EXPECT_THAT(rules().rules, SizeIs(0));
}

}  // namespace
}  // namespace netfilter
