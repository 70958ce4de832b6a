// Against the real kernel, in a network namespace of the test's own.
#include "kernel/netfilter/nft_reader.hpp"

#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/unit/kernel/netfilter/rule_text.hpp"

namespace netfilter {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class nft_reader_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/nft", X_OK) != 0) GTEST_SKIP() << "nftables is not installed";
    place_.emplace("nftreader");
    here_.emplace(*place_);
    nft("add table ip nat");
    for (const auto* chain : {"A", "B", "C", "D", "E", "EMPTY"}) nft(std::string("add chain ip nat ") + chain);
  }
  static void nft(const std::string& command) { support::run_or_throw({.argv = {"nft", command}}); }
  static void add(const std::string& chain, const std::string& rule) { nft("add rule ip nat " + chain + ' ' + rule); }
  static rules_dump dump(const char* chain) {
    auto kernel = nft_reader::open();
    return kernel.value().dump({family::ipv4, "nat", chain}).value();
  }
  static nft_nat_view view(const std::vector<std::string>& chains, const std::vector<std::string>& followed) {
    return read_nft_nat(chains, followed).value();
  }
  static std::vector<std::string> names(const nft_nat_view& of) {
    std::vector<std::string> all;
    for (const auto& c : of.chains) all.push_back(c.name);
    return all;
  }
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
};

TEST_F(nft_reader_test, each_change_of_any_rule_makes_a_new_generation) {
  const auto first = read_nft_generation().value();
  EXPECT_EQ(read_nft_generation().value(), first);
  add("B", "tcp dport 81 dnat to 10.4.0.9");
  EXPECT_NE(read_nft_generation().value(), first);
}

TEST_F(nft_reader_test, reads_the_rules_of_one_chain_in_order) {
  add("A", "tcp dport 80 dnat to 10.4.0.7:8080");
  add("A", "ip daddr 127.0.0.1 udp dport 53 dnat to 10.4.0.8 comment \"second\"");
  add("B", "tcp dport 81 dnat to 10.4.0.9");
  auto kernel = nft_reader::open();
  ASSERT_TRUE(kernel);
  EXPECT_THAT(to_text(kernel->read({family::ipv4, "nat", "A"}).value()),
              ElementsAre("tcp *:80 -> 10.4.0.7:8080", "udp 127.0.0.1:53 -> 10.4.0.8:0 \"second\""));
  EXPECT_THAT(to_text(kernel->read({family::ipv4, "nat", "B"}).value()), ElementsAre("tcp *:81 -> 10.4.0.9:0"))
      << "the same reader asks again";
}

TEST_F(nft_reader_test, an_absent_chain_has_no_rules) {
  add("A", "tcp dport 80 dnat to 10.4.0.7:8080");
  auto kernel = nft_reader::open();
  ASSERT_TRUE(kernel);
  EXPECT_THAT(kernel->read({family::ipv4, "nat", "EMPTY"}).value(), IsEmpty());
  EXPECT_THAT(kernel->read({family::ipv4, "nat", "NONE"}).value(), IsEmpty());
  EXPECT_THAT(kernel->read({family::ipv4, "none", "A"}).value(), IsEmpty());
  EXPECT_THAT(kernel->read({family::ipv6, "nat", "A"}).value(), IsEmpty());
}

TEST_F(nft_reader_test, the_fingerprint_differs_with_a_rule_and_not_otherwise) {
  add("A", "tcp dport 80 counter dnat to 10.4.0.7");
  const auto before = dump("A");
  EXPECT_EQ(dump("A").fingerprint, before.fingerprint);
  add("B", "tcp dport 81 accept");
  EXPECT_EQ(dump("A").fingerprint, before.fingerprint) << "another chain";
  add("A", "tcp dport 81 accept");
  const auto after = dump("A");
  EXPECT_NE(after.fingerprint, before.fingerprint);
  ASSERT_THAT(after.handles, SizeIs(2));
  EXPECT_EQ(after.handles[0], before.handles.at(0));
  EXPECT_NE(after.handles[1], after.handles[0]);
}

// A: followed. B: read because A jumps to it. C: not followed, so D is not read. E: neither.
TEST_F(nft_reader_test, a_view_has_the_given_chains_and_the_jumps_of_the_followed_ones) {
  add("A", "jump B");
  add("B", "jump E");
  add("C", "jump D");
  for (const auto* chain : {"D", "E"}) add(chain, "accept");
  const auto seen = view({"C", "EMPTY"}, {"A"});
  EXPECT_THAT(names(seen), ElementsAre("A", "C", "B")) << "chains without rules are left out";
  EXPECT_THAT(seen.chains[0].jumps, ElementsAre("B"));
  EXPECT_THAT(seen.chains[1].jumps, ElementsAre("D"));
  EXPECT_THAT(seen.chains[0].handles, SizeIs(1));
}

TEST_F(nft_reader_test, a_view_reads_each_chain_once) {
  for (int i = 0; i < 3; ++i) add("A", "tcp dport 80 jump B");
  add("B", "accept");
  EXPECT_THAT(names(view({"A", "B"}, {"A", "B"})), ElementsAre("A", "B"));
}

TEST_F(nft_reader_test, a_views_fingerprint_differs_with_any_of_its_chains) {
  add("A", "jump B");
  const auto empty = view({"C"}, {"A"}).fingerprint;
  add("B", "accept");
  const auto behind_a_jump = view({"C"}, {"A"}).fingerprint;
  EXPECT_NE(behind_a_jump, empty);
  add("D", "accept");
  EXPECT_EQ(view({"C"}, {"A"}).fingerprint, behind_a_jump) << "another chain";
  add("C", "accept");
  EXPECT_NE(view({"C"}, {"A"}).fingerprint, behind_a_jump);
}

TEST_F(nft_reader_test, a_kernel_without_nftables_differs_from_one_that_denies) {
  const auto error_of = [](unsigned number) {
    base::error failed;
    EXPECT_TRUE(support::run_without({__NR_socket, 2, NETLINK_NETFILTER, number}, [&] {
      const auto opened = nft_reader::open();
      const auto seen = read_nft_nat({}, {});
      ASSERT_FALSE(opened);
      ASSERT_FALSE(seen) << "not an empty table";
      EXPECT_EQ(seen.error().code, opened.error().code);
      failed = opened.error();
    }));
    return failed;
  };
  EXPECT_TRUE(is_without_nftables(error_of(EPROTONOSUPPORT)));
  EXPECT_FALSE(is_without_nftables(error_of(EACCES)));
}

TEST_F(nft_reader_test, without_rights_a_chain_is_an_error_and_not_empty) {
  add("A", "accept");
  const auto failed = place_->run(
      [] {
        auto kernel = nft_reader::open();
        const auto rules = kernel.value().read({family::ipv4, "nat", "A"});
        return rules ? base::error{} : rules.error();
      },
      support::unprivileged);
  EXPECT_EQ(failed.code, std::errc::operation_not_permitted);
  EXPECT_FALSE(is_without_nftables(failed));
}

TEST(is_without_nftables, knows_the_three_answers_of_such_a_kernel) {
  for (const auto code :
       {std::errc::protocol_not_supported, std::errc::invalid_argument, std::errc::operation_not_supported})
    EXPECT_TRUE(is_without_nftables({std::make_error_code(code), "x"}));
  for (const auto code : {std::errc::operation_not_permitted, std::errc::timed_out, std::errc::no_buffer_space})
    EXPECT_FALSE(is_without_nftables({std::make_error_code(code), "x"}));
}

}  // namespace
}  // namespace netfilter
