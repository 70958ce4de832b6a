#include "sources/kubernetes/service_set.hpp"

#include <gmock/gmock.h>

#include "ports/owner_traits.hpp"

namespace kubernetes {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

service_record node_ports(const std::string& name, std::int64_t first, int count = 1) {
  service_record made{.name_space = "x", .name = name, .uid = "uid-" + name, .type = "NodePort", .ports = {}};
  for (int i = 0; i < count; ++i) made.ports.push_back({.port = 80, .node_port = first + i});
  return made;
}
watch_event event(change what, service_record s) { return {what, std::move(s), "1", 0, ""}; }

class service_set_test : public testing::Test {
 protected:
  void list(const std::vector<service_record>& page) {
    set_.begin_list();
    set_.add(page);
    set_.commit_list();
  }
  [[nodiscard]] std::vector<std::uint16_t> published() const {
    std::vector<std::uint16_t> made;
    for (const auto& b : set_.snapshot().bindings) made.push_back(b.host_port);
    return made;
  }
  service_set set_{net::address::any_v4()};
};

TEST_F(service_set_test, what_is_known_stays_until_the_next_list_is_whole) {
  list({node_ports("a", 30'001)});
  set_.begin_list();
  set_.add({node_ports("b", 30'002)});
  EXPECT_THAT(published(), ElementsAre(30'001));
  set_.add({node_ports("c", 30'003)});
  set_.commit_list();
  EXPECT_THAT(published(), ElementsAre(30'002, 30'003));
}

TEST_F(service_set_test, rules_see_namespace_and_labels) {
  auto web = node_ports("web", 30'001);
  web.labels = {{"tier", "front"}};
  list({web});
  const auto traits = ports::decode_traits(set_.snapshot().bindings.at(0).traits);
  EXPECT_EQ(traits.name, "web");
  EXPECT_EQ(traits.space, "x");
  EXPECT_TRUE(traits.complete);
  EXPECT_EQ(traits.labels.at(0).key, "tier");
  EXPECT_EQ(traits.labels.at(0).value, "front");
}

TEST_F(service_set_test, labels_that_are_missing_are_refused_and_said_to_rules) {
  auto cut = node_ports("cut", 30'001), large = node_ports("large", 30'002), without_ports = node_ports("none", 1, 0);
  cut.labels_complete = without_ports.labels_complete = false;
  large.labels = {{"tier", std::string(ports::max_traits_bytes, 'x')}};
  list({cut, large, without_ports});
  for (const auto& b : set_.snapshot().bindings) EXPECT_FALSE(ports::decode_traits(b.traits).complete);
  const auto refusals = set_.snapshot().refusals;
  ASSERT_THAT(refusals, SizeIs(2));
  EXPECT_EQ(refusals[0].owner, "x/cut");
  EXPECT_EQ(refusals[0].what, "labels");
  EXPECT_EQ(refusals[1].owner, "x/large");
}

TEST_F(service_set_test, a_list_that_is_given_up_leaves_nothing_behind) {
  list({node_ports("a", 30'001)});
  set_.begin_list();
  set_.add({node_ports("b", 30'002)});
  list({node_ports("a", 30'001)});
  EXPECT_THAT(published(), ElementsAre(30'001));
}

TEST_F(service_set_test, only_a_change_is_one) {
  list({node_ports("a", 30'001)});
  EXPECT_TRUE(set_.take_changed());
  set_.apply(event(change::modified, node_ports("a", 30'001)));
  set_.apply(event(change::deleted, node_ports("never-listed", 30'009)));
  set_.apply(event(change::bookmark, {}));
  EXPECT_FALSE(set_.take_changed());
  set_.apply(event(change::modified, node_ports("a", 30'002)));
  EXPECT_TRUE(set_.take_changed());
  set_.apply(event(change::deleted, node_ports("a", 1)));
  EXPECT_TRUE(set_.take_changed());
  EXPECT_EQ(set_.size(), 0U);
}

TEST_F(service_set_test, names_that_are_none_are_refused_for_themselves) {
  std::vector<service_record> page{node_ports("good", 30'001)};
  for (const std::string& name : {std::string(), std::string("a/b"), std::string("\xff\xfe"), std::string(254, 'n'),
                                  std::string("a\nb"), std::string("a b")})
    page.push_back(node_ports(name, 30'002));
  list(page);
  EXPECT_THAT(published(), ElementsAre(30'001));
  EXPECT_THAT(set_.snapshot().refusals, SizeIs(6));
}

TEST_F(service_set_test, without_room_a_service_is_refused_and_the_others_stay) {
  std::vector<service_record> page;
  for (int i = 0; i < 33; ++i) page.push_back(node_ports("s" + std::to_string(100 + i), 1, 4'096));
  list(page);
  const auto full = set_.snapshot();
  EXPECT_EQ(full.bindings.size(), ports::max_bindings);
  ASSERT_THAT(full.refusals, SizeIs(1));
  EXPECT_EQ(full.refusals[0].owner, "x/s132");
  set_.apply(event(change::deleted, page[0]));
  set_.apply(event(change::modified, page[32]));
  EXPECT_EQ(set_.snapshot().bindings.size(), ports::max_bindings);
  EXPECT_THAT(set_.snapshot().refusals, SizeIs(0));
}

TEST_F(service_set_test, each_port_is_judged_alone) {
  auto s = node_ports("a", 30'001);
  for (const std::int64_t number : {-1L, 65'536L, 99'999'999'999L}) s.ports.push_back({.port = 1, .node_port = number});
  s.ports.push_back({.protocol = "SCTP", .port = 1, .node_port = 30'002});
  s.ports.push_back({.protocol = "", .port = 1, .node_port = 30'003});
  s.ports.push_back({.protocol = "UDP", .port = 1, .node_port = 30'004});
  s.ports.push_back({.protocol = "UDP", .port = 1, .node_port = 0});
  list({s});
  EXPECT_THAT(set_.snapshot().refusals, SizeIs(testing::Ge(4U)));
  EXPECT_THAT(published(), testing::IsSupersetOf({30'001, 30'004}));
}

}  // namespace
}  // namespace kubernetes
