#include "rules/conditions.hpp"

#include <gmock/gmock.h>

#include <functional>

#include "tests/unit/rules/parsed.hpp"
#include "tests/unit/rules/random_rules.hpp"

namespace rules {
namespace {

// A condition by itself, and what makes a subject that matches everything else match it or not.
struct field {
  const char* yaml;
  std::function<void(subject&)> hit, miss;
};

const label front[] = {{"app", "x"}, {"tier", "front-1"}};
const label back[] = {{"tier", "back"}};

const std::vector<field>& fields() {
  using s = subject&;
  static const std::vector<field> all{
      {"port: 80", [](s to) { to.port = 80; }, [](s to) { to.port = 81; }},
      {"port: 8000-8099", [](s to) { to.port = 8099; }, [](s to) { to.port = 8100; }},
      {"protocol: udp", [](s to) { to.protocol = net::protocol::udp; }, [](s to) { to.protocol = net::protocol::tcp; }},
      {"source: docker", [](s to) { to.source = "docker"; }, [](s to) { to.source = "kubernetes"; }},
      {"source: [containerd, docker]", [](s to) { to.source = "docker"; }, [](s to) { to.source = ""; }},
      {"address: 127.0.0.2", [](s to) { to.address = ip("127.0.0.2"); }, [](s to) { to.address = ip("127.0.0.1"); }},
      {"address: wildcard", [](s to) { to.address = ip("::"); }, [](s to) { to.address = ip("::1"); }},
      {"address: loopback", [](s to) { to.address = ip("127.9.9.9"); }, [](s to) { to.address = ip("0.0.0.0"); }},
      {"address: [loopback, 10.0.0.1]", [](s to) { to.address = ip("10.0.0.1"); },
       [](s to) { to.address = ip("10.0.0.2"); }},
      {"name: web", [](s to) { to.name = "web"; }, [](s to) { to.name = "web-1"; }},
      {"name: web-*", [](s to) { to.name = "web-1"; }, [](s to) { to.name = "web"; }},
      {"name: ['*-db', '*-cache']", [](s to) { to.name = "a-cache"; }, [](s to) { to.name = ""; }},
      {"name: '*'", [](s to) { to.name = "x"; }, [](s to) { to.name = ""; }},
      {"label: tier", [](s to) { to.labels = back; }, [](s to) { to.labels = {}; }},
      {"label: tier=front*", [](s to) { to.labels = front; }, [](s to) { to.labels = back; }},
      {"label: tier=back", [](s to) { to.labels = back; }, [](s to) { to.labels = front; }},
      {"label: [tier=front*, app]", [](s to) { to.labels = front; }, [](s to) { to.labels = back; }},
      {"namespace: kube-*", [](s to) { to.name_space = "kube-system"; }, [](s to) { to.name_space = "default"; }},
      {"namespace: k8s.io", [](s to) { to.name_space = "k8s.io"; }, [](s to) { to.name_space = ""; }},
      {"image: nginx:*", [](s to) { to.image = "nginx:1.27"; }, [](s to) { to.image = "nginx"; }},
      {"image: ['*/redis:?', mysql]", [](s to) { to.image = "docker.io/library/redis:7"; },
       [](s to) { to.image = "docker.io/library/redis:alpine"; }},
  };
  return all;
}

std::string key_of(const field& f) { return std::string(f.yaml).substr(0, std::string_view(f.yaml).find(':')); }

bool matches(const std::string& yaml, const subject& s) {
  const auto parsed = parse("rules: [{" + yaml + ", ignore: true}]");
  const bool found = parsed.rules->find_first(s).number.has_value();
  EXPECT_EQ(found, parsed.rules->rules().front().when.matches(s)) << "the index differs: " << yaml;
  return found;
}

TEST(conditions, each_field_alone) {
  for (const auto& f : fields()) {
    subject s{};
    f.hit(s);
    EXPECT_TRUE(matches(f.yaml, s)) << f.yaml;
    f.miss(s);
    EXPECT_FALSE(matches(f.yaml, s)) << f.yaml;
  }
}

TEST(conditions, of_each_pair_both_must_match) {
  for (const auto& a : fields())
    for (const auto& b : fields()) {
      if (key_of(a) == key_of(b)) continue;
      const auto yaml = std::string(a.yaml) + ", " + b.yaml;
      for (const bool hits_a : {false, true})
        for (const bool hits_b : {false, true}) {
          subject s{};
          (hits_a ? a.hit : a.miss)(s);
          (hits_b ? b.hit : b.miss)(s);
          EXPECT_EQ(matches(yaml, s), hits_a && hits_b) << yaml;
        }
    }
}

TEST(conditions, none_match_everything) {
  EXPECT_TRUE(conditions{}.matches({}));
  EXPECT_TRUE(conditions{}.matches({.source = "docker", .protocol = net::protocol::sctp, .port = 1, .name = "web"}));
}

TEST(conditions, a_missing_label_may_match) {
  const subject some{.labels = back, .labels_complete = false};
  const auto known = parse_one("{label: tier=b*}").when, other = parse_one("{label: tier=front}").when,
             missing = parse_one("{label: [tier, stage=x]}").when;
  EXPECT_TRUE(known.matches(some) && known.is_certain(some));
  EXPECT_FALSE(other.matches(some)) << "a key has one value";
  EXPECT_TRUE(missing.matches(some));
  EXPECT_FALSE(missing.is_certain(some));
  EXPECT_FALSE(missing.matches({.labels = back}));
  EXPECT_TRUE(parse_one("{port: 80}").when.is_certain({.port = 80, .labels_complete = false}));
}

TEST(conditions, a_mapped_address_is_that_of_ipv4) {
  const auto exact = parse_one("{address: '::ffff:127.0.0.1'}").when;
  EXPECT_TRUE(exact.matches({.address = ip("127.0.0.1")}));
  EXPECT_TRUE(exact.matches({.address = ip("::ffff:127.0.0.1")}));
  EXPECT_FALSE(exact.matches({.address = ip("127.0.0.2")}));
  EXPECT_TRUE(parse_one("{address: loopback}").when.matches({.address = ip("::ffff:127.0.0.9")}));
  EXPECT_TRUE(parse_one("{address: wildcard}").when.matches({.address = ip("::ffff:0.0.0.0")}));
}

TEST(conditions, an_exact_wildcard_is_of_its_family) {
  const auto exact = parse_one("{address: 0.0.0.0}").when;
  EXPECT_TRUE(exact.matches({.address = ip("0.0.0.0")}));
  EXPECT_FALSE(exact.matches({.address = ip("::")}));
}

TEST(conditions, cover_by_the_table) {
  struct row {
    const char *wide, *narrow;
    bool covers;
  };
  for (const auto& [wide, narrow, covers] : std::vector<row>{
           {"{}", "{port: 80}", true},
           {"{port: 80}", "{}", false},
           {"{port: 1-65535}", "{}", true},
           {"{port: 80-90}", "{port: 85, name: x}", true},
           {"{port: 80-90}", "{port: 85-91}", false},
           {"{protocol: tcp}", "{protocol: tcp, port: 80}", true},
           {"{protocol: tcp}", "{protocol: udp}", false},
           {"{source: [docker, containerd]}", "{source: docker}", true},
           {"{source: docker}", "{source: [docker, containerd]}", false},
           {"{address: loopback}", "{address: [127.0.0.2, '::1']}", true},
           {"{address: 127.0.0.1}", "{address: loopback}", false},
           {"{address: wildcard}", "{address: wildcard}", true},
           {"{name: [web-*, db]}", "{name: [db, web-1]}", true},
           {"{name: web-*}", "{name: [web-1, db]}", false},
           {"{label: tier}", "{label: [app, tier=front]}", true},
           {"{label: tier=f*}", "{label: tier=front}", true},
           {"{label: tier=f*}", "{label: tier}", false},
           {"{label: [tier, app]}", "{label: tier}", false},
           {"{namespace: '*'}", "{namespace: kube-*}", true},
           {"{namespace: '*'}", "{}", false},
           {"{image: nginx:*}", "{image: nginx:1}", true},
       })
    EXPECT_EQ(parse_one(wide).when.covers(parse_one(narrow).when), covers) << wide << " and " << narrow;
}

// What covers says is never wrong.
TEST(conditions, what_is_covered_matches_nothing_else) {
  random_rules random(1);
  unsigned covered = 0, matched = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto wide = random.make_conditions(), narrow = random.make_conditions();
    if (!wide.covers(narrow)) continue;
    ++covered;
    for (int k = 0; k < 50; ++k) {
      const auto s = random.make_subject();
      if (!narrow.matches(s)) continue;
      ++matched;
      ASSERT_TRUE(wide.matches(s)) << to_yaml({wide, {}}) << " and " << to_yaml({narrow, {}});
    }
  }
  EXPECT_GT(covered, 100U);
  EXPECT_GT(matched, 100U);
}

}  // namespace
}  // namespace rules
