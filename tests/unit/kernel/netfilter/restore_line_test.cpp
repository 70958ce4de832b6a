#include "kernel/netfilter/restore_line.hpp"

#include <gmock/gmock.h>

#include <string>

namespace netfilter {
namespace {

using testing::Optional;

constexpr std::string_view full =
    "-A TAG -s 192.168.126.0/23 -d 192.168.127.2/32 ! -i docker0 -p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK "
    "SYN -m comment --comment TAG:web -j DNAT --to-destination 172.17.0.2:8080";

TEST(restore_line, reads_every_part_of_a_rule) {
  const auto r = read_appended_rule(full);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->chain, "TAG");
  EXPECT_EQ(r->from, net::cidr::parse("192.168.126.0/23"));
  EXPECT_EQ(r->to, net::cidr::parse("192.168.127.2/32"));
  EXPECT_EQ(r->in->name, "docker0");
  EXPECT_TRUE(r->in->negated);
  EXPECT_EQ(r->protocol, net::protocol::tcp);
  EXPECT_EQ(r->port, 80);
  EXPECT_TRUE(r->new_connections);
  EXPECT_EQ(r->comment, "TAG:web");
  EXPECT_EQ(r->dnat->ip, net::address::v4(172, 17, 0, 2));
  EXPECT_EQ(r->dnat->port, 8080);
  EXPECT_EQ(r->jump, "");
}

TEST(restore_line, reads_a_rule_with_little_in_it) {
  const auto jump = read_appended_rule("-A PREROUTING -i eth0 -j TAG");
  ASSERT_TRUE(jump);
  EXPECT_FALSE(jump->in->negated);
  EXPECT_EQ(jump->jump, "TAG");
  EXPECT_FALSE(jump->protocol || jump->dnat || jump->from || jump->to);
  const auto relayed = read_appended_rule("-A TAG -p udp -m udp --dport 53 -j DNAT --to-destination :4567");
  ASSERT_TRUE(relayed);
  EXPECT_FALSE(relayed->dnat->ip || relayed->new_connections);
  EXPECT_EQ(relayed->dnat->port, 4567);
  EXPECT_EQ(read_appended_rule("-A TAG -p tcp -j DNAT --to-destination 127.0.0.1")->dnat->port, 0);
}

TEST(restore_line, knows_a_new_chain) {
  EXPECT_THAT(read_new_chain(":TAG -"), Optional(std::string_view("TAG")));
  for (const auto* line : {":PREROUTING ACCEPT", ":TAG - [0:0]", ": -", ":two words -", ":\"TAG\" -", "-N TAG", "",
                           ":a-chain-with-a-name-far-too-long -"})
    EXPECT_FALSE(read_new_chain(line)) << line;
}

class line_that_says_more : public testing::TestWithParam<const char*> {};
TEST_P(line_that_says_more, is_not_read) { EXPECT_FALSE(read_appended_rule(GetParam())); }
INSTANTIATE_TEST_SUITE_P(
    restore_line, line_that_says_more,
    testing::Values(
        "", "-A", "-A TAG", "-D TAG -j OTHER", "-I TAG -j OTHER", "-A TAG -g OTHER", "-A TAG -j OTHER -p tcp",
        "-A TAG -j", "-A TAG  -j OTHER", "-A TAG -i eth+ -j OTHER", "-A TAG -i a-device-with-a-long-name -j OTHER",
        "-A TAG ! -s 10.0.0.1 -j OTHER", "-A TAG -s 10.0.0.0/0 -j OTHER", "-A TAG -s 10.0.0.0/33 -j OTHER",
        "-A TAG -s 10.0.0.0/255.0.0.0 -j OTHER", "-A TAG -d fd00::1 -j OTHER", "-A TAG -s 10.0.0.1 -s 10.0.0.2 -j X",
        "-A TAG -p sctp -j OTHER", "-A TAG -p tcp -p tcp -j OTHER", "-A TAG -m tcp --dport 80 -j OTHER",
        "-A TAG -p tcp -m udp --dport 80 -j OTHER", "-A TAG -p tcp -m tcp --dport 80:90 -j OTHER",
        "-A TAG -p tcp -m tcp --sport 80 -j OTHER", "-A TAG -p tcp -m tcp ! --dport 80 -j OTHER",
        "-A TAG -p tcp -m tcp --dport 0 -j OTHER", "-A TAG -p tcp -m multiport --dports 80 -j OTHER",
        "-A TAG -p tcp -m tcp --dport 80 --tcp-flags SYN SYN -j OTHER",
        "-A TAG -p udp -m udp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN -j OTHER",
        "-A TAG -m comment --comment x -m comment --comment y -j OTHER", "-A TAG -m comment --comment -j OTHER",
        "-A TAG -p tcp -m comment --comment x -m tcp --dport 80 -j OTHER",
        "-A TAG -m comment --comment \"two words\" -j OTHER", "-A TAG -j DNAT --to-destination 10.0.0.1",
        "-A TAG -p tcp -j DNAT", "-A TAG -p tcp -j DNAT --to-destination :",
        "-A TAG -p tcp -j DNAT --to-destination :0", "-A TAG -p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.2",
        "-A TAG -p tcp -j DNAT --to-destination :80-90", "-A TAG -p tcp -j DNAT --to-destination 10.0.0.1:80 --random",
        "-A TAG -p tcp -j DNAT --to-destination [fd00::1]:80", "-A TAG -p tcp -j REDIRECT --to-ports 80"));

TEST(restore_line, a_comment_has_a_longest_length) {
  const auto line = [](std::size_t size) { return "-A TAG -m comment --comment " + std::string(size, 'c') + " -j X"; };
  EXPECT_TRUE(read_appended_rule(line(255)));
  EXPECT_FALSE(read_appended_rule(line(256)));
}

}  // namespace
}  // namespace netfilter
