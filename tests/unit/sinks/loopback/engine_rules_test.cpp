#include "sinks/loopback/engine_rules.hpp"

#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using testing::ElementsAre;

std::vector<std::string> cni_chain(const nat_table& table, const std::string& owner) {
  auto wanted = all_of({wanted_by(owner, key("127.0.0.1", 8080))});
  wanted.begin()->second.served = ports::serving::nat_rule;
  return chain(changed_by(table, plan(table, wanted, {}, with_cni())));
}

TEST(engine_rules, cni_chains_work_the_same_way) {
  EXPECT_THAT(cni_chain(cni_table({{"abc", "default-web"}}), "default/web"),
              ElementsAre(line(own_rule("default/web", 8080, "10.4.0.7:80"))));
}

TEST(engine_rules, a_chain_that_a_dead_container_has_left_is_not_taken_for_a_live_one) {
  EXPECT_THAT(cni_chain(cni_table({{"old", "default-old"}, {"new", "k8s.io-new"}}), "k8s.io/new"),
              ElementsAre(line(own_rule("k8s.io/new", 8080, "10.4.0.8:80"))));
  EXPECT_THAT(cni_chain(cni_table({{"old", "default-old"}}), "default/new"),
              ElementsAre(line(own_rule("default/new", 8080, ":18080"))))
      << "whatever serves it, no rule does";
}

TEST(engine_rules, an_id_that_the_plugin_has_cut_is_ignored) {
  auto table = cni_table({{"abc", "default-web"}});
  for (auto& r : table.rules)
    for (auto& word : r.words)
      if (word.starts_with("dnat name")) word.resize(word.size() - 4);
  EXPECT_THAT(cni_chain(table, "default/web"), ElementsAre(line(own_rule("default/web", 8080, "10.4.0.7:80"))));
}

}  // namespace
}  // namespace loopback
