#include "kernel/netfilter/chain_plan.hpp"

#include <gmock/gmock.h>

#include "tests/unit/kernel/netfilter/table_text.hpp"

namespace netfilter {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

const rule_spec first = parsed("-A TAG -p tcp -m comment --comment TAG:a -j DNAT --to-destination :1");
const rule_spec second = parsed("-A TAG -p udp -m comment --comment TAG:b -j DNAT --to-destination :2");
const rule_spec jump = parsed("-A PREROUTING -i eth0 -m comment --comment TAG:peer -j TAG");
const rule_spec foreign_jump = parsed("-A PREROUTING -j DOCKER");

nat_table table_with(const std::vector<rule_spec>& rules, bool with_chain = true) {
  nat_table table{{"PREROUTING", "DOCKER"}, rules, {}};
  if (with_chain) table.chains.emplace_back("TAG");
  return table;
}
chain_plan plan(const nat_table& table, const std::vector<rule_spec>& rules) {
  return plan_chain(own_rules(table, "TAG"), rules, {jump});
}

TEST(chain_plan, makes_the_chain_its_rules_and_the_jump) {
  const auto before = table_with({foreign_jump}, false);
  const auto made = plan(before, {first, second});
  EXPECT_EQ(changed_by(before, made.change).rules, (std::vector{foreign_jump, first, second, jump}));
  EXPECT_THAT(made.adds, ElementsAre(std::nullopt, 0U, 1U, std::nullopt)) << "chain, two rules, jump";
  EXPECT_THAT(made.change.grown, ElementsAre("PREROUTING", "TAG"));
}

TEST(chain_plan, changes_nothing_where_the_words_are_the_same_in_another_order) {
  auto before = table_with({foreign_jump, first, jump});
  before.rules[1] = parsed("-A TAG -m comment --comment TAG:a -p tcp -j DNAT --to-destination :1");
  EXPECT_TRUE(plan(before, {first}).change.empty());
}

TEST(chain_plan, a_stale_rule_without_a_handle_goes_before_the_new_one_comes) {
  const auto made = plan(table_with({foreign_jump, first, jump}), {second});
  EXPECT_THAT(made.change.lines, ElementsAre(StartsWith("-D TAG"), StartsWith("-A TAG")));
  EXPECT_THAT(made.change.removals, IsEmpty());
}

TEST(chain_plan, a_stale_rule_with_a_handle_goes_after_the_new_one_has_come) {
  auto before = table_with({foreign_jump, first, jump});
  before.handles = {1, 20, 3};
  const auto made = plan(before, {second});
  EXPECT_THAT(made.change.lines, ElementsAre(StartsWith("-A TAG")));
  EXPECT_THAT(made.change.removals, ElementsAre(rule_place{"TAG", 20}));
}

TEST(chain_plan, doubles_of_rules_and_jumps_go) {
  const auto before = table_with({foreign_jump, first, first, jump, jump});
  EXPECT_EQ(changed_by(before, plan(before, {first}).change).rules, (std::vector{foreign_jump, first, jump}));
}

TEST(chain_plan, a_jump_moves_behind_a_later_jump_of_another_program) {
  const auto before = table_with({jump, foreign_jump, first});
  EXPECT_EQ(changed_by(before, plan(before, {first}).change).rules, (std::vector{foreign_jump, first, jump}));
}

TEST(chain_plan, without_rules_every_trace_goes) {
  const auto old = parsed("-A DOCKER -p tcp -m comment --comment TAG:old -j DNAT --to-destination :9");
  const auto before = table_with({foreign_jump, old, first, jump});
  const auto after = changed_by(before, plan(before, {}).change);
  EXPECT_EQ(after.rules, std::vector{foreign_jump});
  EXPECT_THAT(after.chains, ElementsAre("PREROUTING", "DOCKER"));
  EXPECT_TRUE(plan(after, {}).change.empty());
}

// The chain can only go in the transaction that removes its jumps.
TEST(chain_plan, a_jump_goes_by_its_words_together_with_its_chain) {
  auto before = table_with({foreign_jump, first, jump});
  before.handles = {1, 2, 3};
  const auto made = plan(before, {});
  EXPECT_THAT(made.change.lines, ElementsAre(StartsWith("-D PREROUTING"), "-F TAG", "-X TAG"));
  EXPECT_THAT(made.change.removals, IsEmpty());
}

}  // namespace
}  // namespace netfilter
