#include "programs/guestagentctl/changes.hpp"

#include <gmock/gmock.h>

namespace guestagentctl {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

status_document::port port_of(std::uint16_t number, std::vector<std::string> states, std::string decision = "exposed") {
  status_document::port p{
      .protocol = "tcp", .address = "0.0.0.0", .number = number, .name = "web", .decision = std::move(decision)};
  for (auto& state : states) p.peers.push_back({"peer" + std::to_string(p.peers.size()), std::move(state), "", "", {}});
  return p;
}

class changes_test : public testing::Test {
 protected:
  std::vector<std::string> after(std::vector<status_document::port> ports) {
    std::vector<std::string> texts;
    for (const auto& c : log_.compare({.ports = std::move(ports)})) {
      constexpr const char* names[]{"exposed", "withdrawn", "conflict", "resolved"};
      texts.push_back(std::string(names[static_cast<int>(c.what)]) + " " + std::to_string(c.port.number));
    }
    return texts;
  }
  change_log log_;
};

TEST_F(changes_test, the_first_document_is_what_is_open_and_in_conflict) {
  EXPECT_THAT(after({port_of(1, {"applied", "foreign"}), port_of(2, {"applied", "conflict"}), port_of(3, {"pending"}),
                     port_of(4, {}, "restricted"), port_of(5, {"leftover"}, "leftover")}),
              ElementsAre("exposed 1", "conflict 2"));
}

TEST_F(changes_test, the_same_document_again_is_no_event) {
  const std::vector ports{port_of(1, {"applied"}), port_of(2, {"conflict"})};
  EXPECT_THAT(after(ports), ElementsAre("exposed 1", "conflict 2"));
  EXPECT_THAT(after(ports), IsEmpty());
}

TEST_F(changes_test, a_port_is_exposed_when_its_last_peer_has_it) {
  EXPECT_THAT(after({port_of(1, {"applied", "pending"})}), IsEmpty());
  EXPECT_THAT(after({port_of(1, {"applied", "applied"})}), ElementsAre("exposed 1"));
  EXPECT_THAT(after({}), ElementsAre("withdrawn 1"));
  EXPECT_THAT(after({}), IsEmpty());
}

TEST_F(changes_test, a_conflict_is_resolved_when_the_port_is_open_or_gone) {
  EXPECT_THAT(after({port_of(1, {"conflict"}), port_of(2, {"conflict"})}), ElementsAre("conflict 1", "conflict 2"));
  EXPECT_THAT(after({port_of(1, {"pending"}), port_of(2, {"conflict"})}), IsEmpty()) << "it may still be in use";
  EXPECT_THAT(after({port_of(1, {"applied"})}), ElementsAre("resolved 2", "resolved 1", "exposed 1"));
}

TEST_F(changes_test, what_is_not_known_is_no_event) {
  EXPECT_THAT(after({port_of(1, {"applied"})}), ElementsAre("exposed 1"));
  EXPECT_THAT(after({port_of(1, {"down"})}), IsEmpty());
  EXPECT_THAT(after({port_of(1, {"leftover"}, "leftover")}), IsEmpty()) << "the agent has restarted";
  EXPECT_THAT(after({port_of(1, {"removing"}, "leftover")}), IsEmpty()) << "it is still open";
  EXPECT_THAT(after({port_of(1, {"pending"})}), IsEmpty());
  EXPECT_THAT(after({port_of(1, {"applied"})}), IsEmpty());
}

TEST_F(changes_test, a_port_that_the_policy_takes_away_is_withdrawn_with_the_reason) {
  EXPECT_THAT(after({port_of(1, {"applied"})}), ElementsAre("exposed 1"));
  auto ignored = port_of(1, {}, "ignored");
  ignored.reason = "by a rule";
  const auto changes = log_.compare({.ports = {ignored}});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].what, change_kind::withdrawn);
  EXPECT_EQ(changes[0].reason, "by a rule");
}

TEST_F(changes_test, of_several_entries_of_a_port_the_one_that_peers_should_have_counts) {
  EXPECT_THAT(after({port_of(1, {}, "shadowed"), port_of(1, {"removing"}, "leftover"), port_of(1, {"applied"})}),
              ElementsAre("exposed 1"));
  EXPECT_THAT(after({port_of(1, {}, "shadowed"), port_of(1, {"removing"}, "leftover")}), IsEmpty());
}

TEST_F(changes_test, an_event_is_one_line_of_json) {
  auto p = port_of(8080, {"applied", "conflict"});
  p.peers.back().reason = "in\nuse";
  p.container_port = 80;
  p.source = "docker";
  p.owner = "c1";
  const auto changes = log_.compare({.ports = {p}});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(to_json(changes[0], "2026-11-24T00:00:01Z"),
            R"({"time":"2026-11-24T00:00:01Z","event":"conflict","protocol":"tcp","address":"0.0.0.0","port":8080,)"
            R"("container_port":80,"source":"docker","owner":"c1","name":"web","peer":"peer1","reason":"in\nuse"})");
}

}  // namespace
}  // namespace guestagentctl
