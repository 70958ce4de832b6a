// What rules and labels know of the owner of a port, also of one that means harm.
#include "ports/placement.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>

#include "ports/owner_traits.hpp"

namespace ports {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::array<std::string_view, 1> sources{"docker"}, peers{"host-switch"};
constexpr rules::known_names names{.sources = sources, .peers = peers};

class placement_test : public testing::Test {
 protected:
  // Ports of one owner, whose traits they share.
  void publish(const std::vector<std::uint16_t>& ports, owner_traits traits) {
    const auto text = encode_traits(std::move(traits)).text;
    std::vector<binding> all;
    for (const auto port : ports)
      all.push_back(
          {net::protocol::tcp, net::address::any_v4(), port, 80, "id", "shop/web", serving::rule_and_proxy, text});
    table_.publish(source_id::docker, {std::move(all), {}, 1});
  }
  [[nodiscard]] placement by_rules(std::string_view flow) const {
    const auto parsed = rules::parse_rules("rules: [" + std::string(flow) + "]", names);
    return place(table_, {.by = parsed.value().rules.get()});
  }
  [[nodiscard]] placement by_both(std::string_view flow) const {
    const auto parsed = rules::parse_rules("rules: [" + std::string(flow) + "]", names);
    return place(table_, {.by = parsed.value().rules.get(), .label_names = names});
  }
  [[nodiscard]] placement by_labels() const { return place(table_, {.label_names = names}); }
  // The reason at each port, in their order.
  [[nodiscard]] std::vector<std::string> reasons() const {
    std::vector<std::string> all;
    for (const auto& port : by_labels().ports) all.push_back(port.by.reason.str());
    return all;
  }

  port_table table_;
};

TEST_F(placement_test, a_name_is_that_of_the_owner_alone) {
  publish({80}, {.name = "web", .space = "shop"});
  EXPECT_THAT(by_rules("{name: web, ignore: true}").ignored, SizeIs(1));
  EXPECT_THAT(by_rules("{name: shop/web, ignore: true}").ignored, IsEmpty());
}

TEST_F(placement_test, an_owner_without_a_name_matches_none) {
  publish({80}, {.space = "shop"});
  EXPECT_THAT(by_rules("{name: '*', ignore: true}").ignored, IsEmpty());
}

TEST_F(placement_test, a_port_stays_inside_if_a_label_that_decides_may_be_missing) {
  const std::string large(max_traits_bytes, 'x');
  publish({80}, {.name = "web", .labels = {{"stage", large}, {"tier", "front"}}});
  const auto held = by_rules("{label: stage=test, ignore: true}, {name: web}");
  ASSERT_THAT(held.ignored, SizeIs(1));
  EXPECT_EQ(held.ignored[0].by.reason.str(), "its labels are too long to be matched by rule 1 (line 1)");
  EXPECT_THAT(by_rules("{label: tier=back, ignore: true}").ignored, IsEmpty()) << "that label is known";
  EXPECT_THAT(by_rules("{port: 81, label: stage, ignore: true}").ignored, IsEmpty())
      << "the rule is about another port";
}

TEST_F(placement_test, owners_count_only_if_something_asks_about_them) {
  const rules::rule_set none, one(std::vector<rules::placed_rule>(1));
  EXPECT_FALSE(looks_at_owners({}));
  EXPECT_FALSE(looks_at_owners({.by = &none}));
  EXPECT_TRUE(looks_at_owners({.by = &one}));
  EXPECT_TRUE(looks_at_owners({.by = &none, .label_names = names}));
}

TEST_F(placement_test, a_key_that_cannot_be_read_is_said_once) {
  publish({80, 81, 82}, {.labels = {{"guestagent.ports.http/tcp", "ignore: true"}}});
  EXPECT_THAT(reasons(), ElementsAre(HasSubstr("the key does not end with a port"), "", ""));
}

TEST_F(placement_test, a_value_that_cannot_be_read_is_said_at_its_port) {
  publish({80, 81, 82}, {.labels = {{"guestagent.ports.81/tcp", "host-prot: 8081"}}});
  EXPECT_THAT(reasons(), ElementsAre("", HasSubstr("host-prot"), ""));
}

TEST_F(placement_test, sixty_four_labels_for_ports_count) {
  std::vector<std::string> keys;
  std::vector<std::uint16_t> ports;
  for (std::uint16_t port = 1000; port < 1100; ++port) {
    ports.push_back(port);
    keys.push_back(fmt::format("guestagent.ports.{}/tcp", port));
  }
  owner_traits traits;
  for (const auto& key : keys) traits.labels.push_back({key, "ignore: true"});
  publish(ports, traits);
  const auto placed = by_labels();
  EXPECT_THAT(placed.ignored, SizeIs(64));
  EXPECT_THAT(placed.ignored.at(0).by.reason.str(), HasSubstr("only 64 labels for ports count"));
  EXPECT_THAT(placed.ports, SizeIs(36));
  for (const auto& port : placed.ports) EXPECT_EQ(port.by.reason.str(), "");
}

TEST_F(placement_test, the_reason_of_a_port_has_a_limit) {
  const auto wrong = "{" + std::string(200, 'x') + ": 1}", noted = "ignore: true, note: " + std::string(1000, 'n');
  const std::string umlauts = [] {
    std::string text = "ignore: true, note: ";
    for (int i = 0; i < 500; ++i) text += "ü";
    return text;
  }();
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) keys.push_back(fmt::format("guestagent.ports.80/x{}", i));
  owner_traits traits;
  for (const auto& key : keys) traits.labels.push_back({key, wrong});
  traits.labels.push_back({"guestagent.ports.81/tcp", noted});
  traits.labels.push_back({"guestagent.ports.82/tcp", umlauts});
  publish({80, 81, 82}, traits);
  const auto placed = by_labels();
  const std::string_view end = "…";
  for (const auto& port : placed.ignored) {
    EXPECT_LE(port.by.reason.str().size(), 300 + end.size());
    EXPECT_THAT(port.by.reason.str(), HasSubstr("label guestagent.ports.8")) << "what did it is not cut";
  }
  const auto& reason = placed.ignored.at(1).by.reason.str();
  EXPECT_THAT(reason, HasSubstr("üü…")) << "at a whole character";
  EXPECT_LE(placed.ports.front().by.reason.str().size(), 300 + end.size());
  EXPECT_THAT(placed.ports, SizeIs(1));
}

TEST_F(placement_test, a_label_moves_each_port_of_its_number) {
  publish({80, 81},
          {.labels = {{"guestagent.ports.80/tcp", "host-port: 8080"}, {"guestagent.ports.80/udp", "ignore: true"}}});
  const auto placed = by_labels();
  std::vector<std::string> keys;
  for (const auto& port : placed.ports) keys.push_back(to_string(port.key));
  EXPECT_THAT(keys, ElementsAre("tcp 0.0.0.0:81", "tcp 0.0.0.0:8080"));
}

TEST_F(placement_test, a_label_moves_no_port_to_a_number_that_a_rule_closes_to_its_owner) {
  publish({80}, {.name = "web", .labels = {{"guestagent.ports.80/tcp", "host-port: 22"}}});
  const auto kept = by_both("{port: 22, ignore: true}");
  ASSERT_THAT(kept.ports, SizeIs(1));
  EXPECT_EQ(to_string(kept.ports[0].key), "tcp 0.0.0.0:80");
  EXPECT_THAT(kept.ports[0].by.reason.str(), HasSubstr("a label cannot move a port there: rule 1"));
  EXPECT_EQ(to_string(by_both("{port: 22, name: web}, {port: 22, ignore: true}").ports.at(0).key), "tcp 0.0.0.0:22");
}

}  // namespace
}  // namespace ports
