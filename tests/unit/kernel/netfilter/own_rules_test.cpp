#include "kernel/netfilter/own_rules.hpp"

#include <gmock/gmock.h>

namespace netfilter {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

nat_table table_of(const std::string& chains, const std::string& rules) {
  return parse_nat_table("*nat\n:PREROUTING ACCEPT\n" + chains + rules + "COMMIT\n").value();
}
std::string own(const std::string& label, const std::string& target) {
  return "-A TAG -p tcp -m comment --comment TAG:" + label + " -j DNAT --to-destination " + target + "\n";
}

TEST(own_rules, are_recognized_by_their_comment) {
  const auto table = table_of(":TAG -\n", "-A PREROUTING -m comment --comment TAGGED:x -j ACCEPT\n" + own("web", ":1") +
                                              "-A PREROUTING -m comment --comment TAG:peer -j TAG\n");
  const own_rules rules(table, "TAG");
  ASSERT_THAT(rules.all(), SizeIs(2));
  EXPECT_EQ(rules.label(*rules.all()[0].spec), "web");
  EXPECT_EQ(rules.all()[0].position, 2U);
  EXPECT_FALSE(rules.is_jump(*rules.all()[0].spec));
  EXPECT_TRUE(rules.is_jump(*rules.all()[1].spec));
}

TEST(own_rules, know_the_chain_even_if_it_is_empty) {
  EXPECT_TRUE(own_rules(table_of(":TAG -\n", ""), "TAG").has_chain());
  EXPECT_FALSE(own_rules(table_of(":TAGGED -\n", ""), "TAG").has_chain());
  EXPECT_THAT(own_rules(nat_table{}, "TAG").all(), IsEmpty());
}

TEST(own_rules, have_handles_where_the_table_has_them) {
  auto table = table_of(":TAG -\n", own("a", ":1") + own("b", ":2"));
  EXPECT_EQ(own_rules(table, "TAG").all()[1].handle, 0U);
  table.handles = {7, 8};
  EXPECT_EQ(own_rules(table, "TAG").all()[1].handle, 8U);
}

TEST(own_rules, the_last_jump_is_to_a_chain_and_not_to_a_target_or_ours) {
  const auto table = table_of(":DOCKER -\n:TAG -\n",
                              "-A PREROUTING -j DOCKER\n-A PREROUTING -j DNAT --to-destination 10.0.0.1\n"
                              "-A PREROUTING -m comment --comment TAG:peer -j TAG\n-A DOCKER -j TAG\n");
  EXPECT_EQ(own_rules(table, "TAG").last_foreign_jump(), 1U);
}

TEST(own_rules, lead_to_loopback_by_an_address_and_not_by_a_port) {
  EXPECT_TRUE(own_rules(table_of(":TAG -\n", own("a", ":1") + own("b", "127.0.0.53")), "TAG").lead_to_loopback());
  EXPECT_FALSE(own_rules(table_of(":TAG -\n", own("a", ":1") + own("b", "172.17.0.2:80")), "TAG").lead_to_loopback());
}

}  // namespace
}  // namespace netfilter
