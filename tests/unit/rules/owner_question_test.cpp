#include "rules/owner_question.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace rules {
namespace {

rule for_port(std::uint16_t port) {
  rule r;
  r.when.ports = port_range{port, port};
  return r;
}
rule for_name(rule r = {}) {
  r.when.names = {glob::parse("web").value()};
  return r;
}
bool matters(std::vector<rule> all, std::uint16_t port = 80) {
  std::vector<placed_rule> placed;
  for (auto& r : all) placed.push_back({std::move(r), 1});
  return owner_may_decide(rule_set(std::move(placed)),
                          {.source = "iptables", .address = net::address::any_v4(), .port = port});
}

TEST(owner_question, it_matters_if_a_rule_asks_for_the_owner_before_one_decides) {
  EXPECT_TRUE(matters({for_name()}));
  EXPECT_TRUE(matters({for_port(81), for_name(for_port(80))}));
  EXPECT_FALSE(matters({}));
  EXPECT_FALSE(matters({for_port(80)}));
  EXPECT_FALSE(matters({for_port(80), for_name()})) << "the first one decides";
  EXPECT_FALSE(matters({for_name(for_port(81))})) << "another port's";
}

TEST(owner_question, each_condition_on_an_owner_counts) {
  rule by_source, by_label, by_namespace, by_image;
  by_source.when.sources = {"docker"};
  by_label.when.labels = {{"tier"}};
  by_namespace.when.namespaces = {glob::parse("x").value()};
  by_image.when.images = {glob::parse("x").value()};
  for (const auto& one : {by_source, by_label, by_namespace, by_image}) EXPECT_TRUE(matters({one}));
}

}  // namespace
}  // namespace rules
