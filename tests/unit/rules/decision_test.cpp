#include "rules/decision.hpp"

#include <gmock/gmock.h>

#include "tests/unit/rules/parsed.hpp"
#include "tests/unit/rules/random_rules.hpp"

namespace rules {
namespace {

using testing::ElementsAre;
using testing::Optional;

decision decide_by(std::string_view flow, const subject& s) {
  return decide(*parse("rules: [" + std::string(flow) + "]").rules, s);
}

TEST(decision, without_a_rule_everything_is_as_published) {
  EXPECT_EQ(decide(rule_set(), {.port = 80}), decision{});
  EXPECT_EQ(decide_by("{port: 81, ignore: true}", {.port = 80}), decision{});
}

TEST(decision, a_rule_without_actions_exempts_from_later_ones) {
  const auto d = decide_by("{port: 80}, {ignore: true}", {.port = 80});
  EXPECT_FALSE(d.ignore);
  EXPECT_THAT(d.rule, Optional(0));
  EXPECT_TRUE(decide_by("{port: 80}, {ignore: true}", {.port = 81}).ignore);
}

TEST(decision, ignores_with_the_reason) {
  const auto d = decide_by("{port: 80, ignore: true, note: not here}", {.port = 80});
  EXPECT_TRUE(d.ignore);
  EXPECT_EQ(d.reason.str(), "rule 1 (line 1): not here");
}

TEST(decision, has_what_the_rule_says) {
  const auto d =
      decide_by("{port: 80, host-address: 10.0.0.1, host-port: 8080, peers: [wsl-proxy, loopback]}", {.port = 80});
  EXPECT_THAT(d.host_address, Optional(ip("10.0.0.1")));
  EXPECT_EQ(d.host_port, 8080);
  EXPECT_THAT(d.peers, Optional(ElementsAre("wsl-proxy", "loopback")));
  EXPECT_EQ(d.reason.str(), "rule 1 (line 1)");
}

TEST(decision, the_words_for_the_hosts_address_are_those_of_ipv4) {
  EXPECT_THAT(decide_by("{host-address: wildcard}", {.address = ip("::1")}).host_address, Optional(ip("0.0.0.0")));
  EXPECT_THAT(decide_by("{host-address: loopback}", {.address = ip("::")}).host_address, Optional(ip("127.0.0.1")));
}

TEST(decision, maps_ports) {
  EXPECT_EQ(decide_by("{port: 80, host-port: 8080}", {.port = 80}).host_port, 8080);
  EXPECT_EQ(decide_by("{port: 8000-8099, host-port: 9000-9099}", {.port = 8042}).host_port, 9042);
  EXPECT_EQ(decide_by("{host-port: +1000}", {.port = 80}).host_port, 1080);
  EXPECT_EQ(decide_by("{host-port: -1000}", {.port = 8080}).host_port, 7080);
}

TEST(decision, a_port_that_its_offset_moves_out_of_the_range_is_ignored) {
  const auto d = decide_by("{host-port: -1000, host-address: wildcard, note: down}", {.port = 1000});
  EXPECT_TRUE(d.ignore);
  EXPECT_EQ(d.reason.str(), "port 1000 would leave the range 1 to 65535 by rule 1 (line 1): down");
  EXPECT_EQ(d.host_address, std::nullopt);
  EXPECT_FALSE(decide_by("{host-port: -1000}", {.port = 1001}).ignore);
  EXPECT_TRUE(decide_by("{host-port: +1000}", {.port = 64536}).ignore);
}

TEST(decision, a_port_is_held_back_if_a_label_of_the_rule_may_be_missing) {
  const label tier[] = {{"tier", "front"}};
  const subject cut{.port = 80, .labels = tier, .labels_complete = false}, whole{.port = 80, .labels = tier};
  for (const auto* by : {"{label: stage=test, host-port: +1}", "{label: [tier, stage]}", "{label: 'stage=t*'}"}) {
    const auto d = decide_by(by, cut);
    EXPECT_TRUE(d.ignore) << by;
    EXPECT_EQ(d.host_port, 0);
    EXPECT_EQ(d.reason.str(), "its labels are too long to be matched by rule 1 (line 1)");
    EXPECT_EQ(decide_by(by, whole), decision{}) << by;
  }
  EXPECT_EQ(decide_by("{label: tier=front, host-port: +1}", cut).host_port, 81);
  EXPECT_FALSE(decide_by("{port: 80}, {label: stage, ignore: true}", cut).ignore) << "an earlier rule decides";
}

TEST(decision, of_a_batch_is_that_of_each) {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    random_rules random(seed);
    std::vector<placed_rule> placed(80);
    for (auto& p : placed) p.rule = random.make_rule();
    const rule_set set(std::move(placed));
    // Subjects without labels: those of a random one live for a moment.
    std::vector<subject> subjects;
    for (int i = 0; i < 100; ++i) {
      subjects.push_back(random.make_subject());
      subjects.back().labels = {};
    }
    const auto batch = decide(set, subjects);
    ASSERT_EQ(batch.size(), subjects.size());
    for (std::size_t i = 0; i < subjects.size(); ++i) ASSERT_EQ(batch[i], decide(set, subjects[i])) << "seed " << seed;
  }
}

}  // namespace
}  // namespace rules
