// Against the real kernel and both variants of iptables, in a network namespace of the test's own.
#include "kernel/netfilter/nat_tables.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

#include "async/timeout.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/run_task.hpp"
#include "tests/unit/kernel/netfilter/table_text.hpp"

namespace netfilter {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;

class nat_tables_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const auto programs = find_nat_programs();
    if (programs.size() < 2) GTEST_SKIP() << "needs iptables-nft and iptables-legacy";
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
    place_.emplace("tables");
    here_.emplace(*place_);
    tables_.emplace(context_.get_executor(), programs, table_scope{"TAG", {}}, legacy_watch_options{}, "test");
    if (!tables_->announces_rules()) GTEST_SKIP() << "the kernel announces no rule changes";
  }
  nat_tables::reading read() { return support::run_task(context_, tables_->read()); }
  base::result<> change(std::size_t index, std::vector<std::string> lines) {
    return support::run_task(context_, tables_->change(index, {.lines = std::move(lines)}));
  }
  bool is_notified(std::chrono::milliseconds limit) {
    return support::run_task(context_, async::within(limit, tables_->notified())).has_value();
  }

  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
  boost::asio::io_context context_;
  std::optional<nat_tables> tables_;
};

TEST_F(nat_tables_test, reads_each_variant) {
  ASSERT_TRUE(change(0, {":TAG -", "-A TAG -p tcp -m comment --comment TAG:a -j ACCEPT"}));
  const auto all = read();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(tables_->variant(0), nat_variant::nft);
  EXPECT_THAT(lines_of(*all[0].value(), "TAG"), SizeIs(1));
  EXPECT_EQ(all[1].value(), nullptr) << "no program of iptables-legacy has made its table";
}

TEST_F(nat_tables_test, announces_the_changes_of_others_and_not_its_own) {
  ASSERT_TRUE(change(0, {":TAG -"}));
  EXPECT_FALSE(is_notified(500ms));
  support::run_or_throw({.argv = {"iptables-nft", "-t", "nat", "-A", "PREROUTING", "-j", "ACCEPT"}});
  EXPECT_TRUE(is_notified(10s));
  EXPECT_TRUE(tables_->nft_changed());
}

}  // namespace
}  // namespace netfilter
