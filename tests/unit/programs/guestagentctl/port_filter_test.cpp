#include "programs/guestagentctl/port_filter.hpp"

#include <gtest/gtest.h>

namespace guestagentctl {
namespace {

const status_document::port port{
    .source = "docker",
    .owner = "0123456789ab",
    .name = "shop-web-1",
    .decision = "exposed",
    .claims = {{"docker", "0123456789ab", "shop-web-1", "0.0.0.0", 80},
               {"iptables", "CNI-DN-1", "default-db", "0.0.0.0", 80}},
    .peers = {{"host-switch", "applied", "", "", {}}, {"wsl-proxy", "conflict", "in use", "", {}}}};

TEST(port_filter, passes_all_ports_where_nothing_is_asked_for) {
  EXPECT_TRUE(passes({}, port));
  EXPECT_TRUE(passes({}, {}));
}

TEST(port_filter, finds_a_source_among_the_claims) {
  EXPECT_TRUE(passes({.source = "docker"}, port));
  EXPECT_TRUE(passes({.source = "iptables"}, port));
  EXPECT_FALSE(passes({.source = "kubernetes"}, port));
  EXPECT_FALSE(passes({.source = "dock"}, port));
}

TEST(port_filter, finds_a_state_at_any_peer_and_the_decision) {
  for (const auto* state : {"applied", "conflict", "exposed"}) EXPECT_TRUE(passes({.state = state}, port)) << state;
  EXPECT_FALSE(passes({.state = "down"}, port));
}

TEST(port_filter, finds_a_name_by_a_part_of_it_or_by_a_pattern) {
  for (const auto* name : {"web", "shop-web-1", "0123", "shop-*", "*-web-?", "*[12]", "default-db", "CNI-*"})
    EXPECT_TRUE(passes({.name = name}, port)) << name;
  for (const auto* name : {"webs", "web-*", "?", "[", "Web"}) EXPECT_FALSE(passes({.name = name}, port)) << name;
}

TEST(port_filter, needs_all_that_is_asked_for) {
  EXPECT_TRUE(passes({.source = "docker", .state = "applied", .name = "web"}, port));
  EXPECT_FALSE(passes({.source = "docker", .state = "down", .name = "web"}, port));
}

TEST(port_filter, hides_what_a_rule_leaves_out_unless_it_is_asked_for) {
  EXPECT_FALSE(is_hidden({}, port));
  const status_document::port ignored{.decision = "ignored"};
  EXPECT_TRUE(is_hidden({}, ignored));
  EXPECT_FALSE(is_hidden({.all = true}, ignored));
  EXPECT_FALSE(is_hidden({.state = "ignored"}, ignored));
}

}  // namespace
}  // namespace guestagentctl
