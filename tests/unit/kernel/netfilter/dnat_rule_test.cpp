#include "kernel/netfilter/dnat_rule.hpp"

#include <gtest/gtest.h>

namespace netfilter {
namespace {

rule_spec one(const std::string& line) { return parse_nat_table("*nat\n" + line + "\nCOMMIT\n").value().rules.at(0); }

TEST(dnat_rule, reads_dockers_rule) {
  const auto d = read_dnat(
      one("-A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80"));
  EXPECT_EQ(d, (dnat{net::protocol::tcp, net::address::loopback_v4(), 8080, "172.17.0.2:80", 80}));
  EXPECT_EQ(read_dnat(one("-A C -p udp -m udp --dport 53 -j DNAT --to-destination 10.4.0.7")),
            (dnat{net::protocol::udp, std::nullopt, 53, "10.4.0.7", 53}));
}

TEST(dnat_rule, rejects_rules_for_more_or_less_than_one_port) {
  for (const std::string line : {
           "-A DOCKER -i docker0 -j RETURN",
           "-A DOCKER -p tcp -m tcp --dport 8080:8090 -j DNAT --to-destination 172.17.0.2:80-90",
           "-A DOCKER -p tcp -m tcp ! --dport 80 -j DNAT --to-destination 172.17.0.2:80",
           "-A DOCKER ! -d 127.0.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80",
           "-A DOCKER -d 127.0.0.0/8 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80",
           "-A DOCKER -p tcp -m tcp --dport 0 -j DNAT --to-destination 172.17.0.2:80",
           "-A DOCKER -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:http",
           "-A DOCKER -p icmp -j DNAT --to-destination 172.17.0.2",
       })
    EXPECT_FALSE(read_dnat(one(line))) << line;
}

TEST(dnat_rule, a_copy_loses_its_destination_and_takes_new_connections_only) {
  const auto from =
      one("-A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80");
  EXPECT_EQ(append_line(copied(from, "tag", "tag:abc")),
            "-A tag ! -i docker0 -p tcp -m tcp --dport 8080 --tcp-flags FIN,SYN,RST,ACK SYN -m comment --comment "
            "tag:abc -j DNAT --to-destination 172.17.0.2:80");
  const auto commented = one(
      R"(-A C -d 10.0.0.1/32 -p udp -m comment --comment "dnat x" -m udp --dport 1 -j DNAT --to-destination 10.4.0.7:2)");
  EXPECT_EQ(append_line(copied(commented, "t", "t:x")),
            "-A t -p udp -m udp --dport 1 -m comment --comment t:x -j DNAT --to-destination 10.4.0.7:2");
}

}  // namespace
}  // namespace netfilter
