#include "kernel/netfilter/table_scope.hpp"

#include <gtest/gtest.h>

namespace netfilter {
namespace {

const table_scope scope{"TAG", {{"DOCKER", "DOCKER"}, {"CNI-HOSTPORT-DNAT", "CNI-DN-*"}}};

TEST(table_scope, has_the_chains_of_the_engines_and_ours) {
  for (const std::string chain : {"PREROUTING", "DOCKER", "CNI-HOSTPORT-DNAT", "CNI-DN-8dce0f", "TAG"})
    EXPECT_TRUE(scope.contains(chain, "-A " + chain + " -j ACCEPT")) << chain;
  for (const std::string chain : {"POSTROUTING", "KUBE-SERVICES", "DOCKER-ISOLATION", "CNI-HOSTPORT-MASQ"})
    EXPECT_FALSE(scope.contains(chain, "-A " + chain + " -j ACCEPT")) << chain;
}

TEST(table_scope, has_our_rules_in_every_chain) {
  EXPECT_TRUE(scope.contains("POSTROUTING", "-A POSTROUTING -m comment --comment TAG:old -j ACCEPT"));
}

TEST(publishing_chains, a_star_stands_for_every_chain_with_the_prefix) {
  EXPECT_TRUE(scope.engines[1].contain("CNI-DN-8dce0f"));
  EXPECT_FALSE(scope.engines[1].contain("CNI-HOSTPORT-DNAT"));
  EXPECT_TRUE(scope.engines[0].contain("DOCKER"));
  EXPECT_FALSE(scope.engines[0].contain("DOCKER-USER"));
}

}  // namespace
}  // namespace netfilter
