#include "sources/engine/container_set.hpp"

#include <gmock/gmock.h>

#include <deque>
#include <random>

namespace engine {
namespace {

using published = std::set<std::pair<std::string, std::uint16_t>>;  // container, host port

container make(const std::string& id, std::uint16_t port = 80) {
  return {id, "n", {{net::protocol::tcp, net::address::any_v4(), port, 80, id, "n"}}, {}};
}
using namespace std::chrono_literals;

constexpr time_point start{1h};
constexpr auto race = 2s;  // by which an engine's list may be behind its events

published shown_by(const container_set& set) {
  published all;
  for (const auto& b : set.snapshot().bindings) all.emplace(b.owner.str(), b.host_port);
  return all;
}

TEST(container_set, an_event_beats_the_list_that_was_asked_for_before_it) {
  container_set set;
  set.begin_list(start);
  set.ended("a", start);
  EXPECT_TRUE(set.ask_about("b", start));
  set.listed({{make("a"), make("c")}}, start);
  EXPECT_EQ(shown_by(set), (published{{"c", 80}}));
  const auto q = set.next_question(start);
  ASSERT_TRUE(q);
  set.answered(*q, make("b", 81));
  EXPECT_EQ(shown_by(set), (published{{"b", 81}, {"c", 80}}));
}

TEST(container_set, an_end_wins_over_an_answer_that_is_under_way) {
  container_set set;
  set.listed({}, start);
  EXPECT_TRUE(set.ask_about("a", start));
  const auto q = set.next_question(start);
  set.ended("a", start);
  set.answered(*q, make("a"));
  EXPECT_TRUE(shown_by(set).empty());
  EXPECT_FALSE(set.next_question(start));
}

TEST(container_set, a_restart_is_asked_about_again) {
  container_set set;
  set.listed({}, start);
  EXPECT_TRUE(set.ask_about("a", start));
  const auto first = set.next_question(start);
  EXPECT_FALSE(set.next_question(start)) << "one question for a container at a time";
  set.ended("a", start);
  EXPECT_TRUE(set.ask_about("a", start));
  set.answered(*first, make("a", 1));
  EXPECT_TRUE(shown_by(set).empty()) << "the answer may be of the life before";
  const auto second = set.next_question(start);
  ASSERT_TRUE(second);
  set.answered(*second, make("a", 2));
  EXPECT_EQ(shown_by(set), (published{{"a", 2}}));
}

TEST(container_set, a_later_list_heals_what_events_missed) {
  container_set set;
  set.begin_list(start);
  set.listed({{make("a")}}, start);
  set.begin_list(start);
  set.listed({{make("b")}}, start);
  EXPECT_EQ(shown_by(set), (published{{"b", 80}}));
}

TEST(container_set, a_list_that_is_behind_the_events_does_not_bring_back_the_dead) {
  container_set set;
  set.begin_list(start);
  set.listed({{make("a")}}, start);
  set.ended("a", start);
  set.begin_list(start);
  set.listed({{make("a")}}, start);
  EXPECT_TRUE(shown_by(set).empty());
}

TEST(container_set, a_reset_keeps_what_is_known_until_the_next_list) {
  container_set set;
  set.listed({{make("a")}}, start);
  set.reset();
  EXPECT_FALSE(set.listed_once());
  EXPECT_EQ(shown_by(set).size(), 1U);
  set.listed({}, start);
  EXPECT_TRUE(shown_by(set).empty());
}

TEST(container_set, tells_whether_anything_changed) {
  container_set set;
  set.listed({{make("a")}}, start);
  EXPECT_TRUE(set.take_changed());
  EXPECT_FALSE(set.take_changed());
  set.ended("unknown", start);
  EXPECT_FALSE(set.take_changed());
  set.ended("a", start);
  EXPECT_TRUE(set.take_changed());
}

TEST(container_set, a_list_that_cannot_tell_of_a_container_leaves_it) {
  container_set set;
  set.listed({{make("a"), make("b")}}, start);
  set.begin_list(start);
  set.listed({{}, {"a"}}, start);
  EXPECT_EQ(shown_by(set), (published{{"a", 80}}));
}

TEST(container_set, a_container_of_which_a_list_cannot_tell_is_asked_about) {
  container_set set;
  set.begin_list(start);
  set.listed({{}, {"a"}}, start);
  const auto q = set.next_question(start);
  ASSERT_TRUE(q) << "it may run, with ports that nothing else would report";
  EXPECT_EQ(q->id, "a");
}

// A lost event of a container that had another one a while ago.
TEST(container_set, a_list_is_believed_about_containers_whose_events_are_older_than_the_race) {
  container_set set;
  set.begin_list(start);
  set.listed({{make("a"), make("b")}}, start);
  set.ended("a", start);
  ASSERT_TRUE(set.ask_about("b", start));
  set.answered(*set.next_question(start), make("b"));
  set.begin_list(start + race + 1s);
  set.listed({{make("a")}}, start + race + 1s);
  EXPECT_EQ(shown_by(set), (published{{"a", 80}}));
}

TEST(container_set, where_a_list_and_an_event_of_the_race_disagree_the_container_is_asked_about) {
  container_set set;
  set.begin_list(start);
  set.listed({{make("a"), make("b"), make("same")}}, start);
  set.ended("a", start);
  for (const auto* id : {"b", "same"}) {
    ASSERT_TRUE(set.ask_about(id, start));
    set.answered(*set.next_question(start), make(id));
  }
  set.begin_list(start + 1s);
  set.listed({{make("a", 81), make("b", 82), make("same")}}, start + 1s);
  EXPECT_EQ(shown_by(set), (published{{"b", 80}, {"same", 80}}));
  const auto first = set.next_question(start + 1s), second = set.next_question(start + 1s);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(set.next_question(start + 1s));
  set.answered(*first, make(first->id, 90));
  set.answered(*second, make(second->id, 91));
  EXPECT_EQ(shown_by(set), (published{{"a", 90}, {"b", 91}, {"same", 80}}));
}

TEST(container_set, a_list_answers_an_open_question) {
  container_set set;
  set.listed({}, start);
  ASSERT_TRUE(set.ask_about("a", start));
  set.unanswered(*set.next_question(start), "it hangs", start);
  set.begin_list(start + 10s);
  set.listed({{make("a")}}, start + 10s);
  EXPECT_EQ(shown_by(set), (published{{"a", 80}}));
  EXPECT_TRUE(set.snapshot().refusals.empty());
  EXPECT_FALSE(set.next_question(start + 1h));
}

TEST(container_set, what_has_no_answer_is_in_the_status_with_the_reason) {
  container_set set;
  set.listed({}, start);
  ASSERT_TRUE(set.ask_about("a", start));
  const auto q = set.next_question(start);
  EXPECT_TRUE(set.take_changed());
  set.unanswered(*q, "it hangs", start);
  ASSERT_TRUE(set.ask_about("b", start));
  EXPECT_TRUE(set.take_changed());
  const auto refusals = set.snapshot().refusals;
  ASSERT_EQ(refusals.size(), 2U);
  EXPECT_THAT(refusals[0].why, testing::HasSubstr("it hangs"));
  EXPECT_THAT(refusals[1].why, testing::HasSubstr("waiting"));
  set.answered(*set.next_question(start), make("b"));
  const auto again = set.next_question(start + 1s);
  ASSERT_TRUE(again);
  set.answered(*again, make("a"));
  EXPECT_TRUE(set.take_changed());
  EXPECT_TRUE(set.snapshot().refusals.empty());
}

TEST(container_set, knows_which_containers_do_not_run) {
  container_set set;
  const auto stopped = [&set] { return set.stopped(); };
  using ids = std::set<std::string>;
  set.begin_list(start);
  set.listed({{make("a")}, {}, {"s", "t"}}, start);
  EXPECT_EQ(set.take_stopped_changes(), (stopped_changes{{"s", true}, {"t", true}}));
  EXPECT_EQ(stopped(), (ids{"s", "t"}));
  set.ended("a", start);
  EXPECT_EQ(stopped(), (ids{"a", "s", "t"}));
  ASSERT_TRUE(set.ask_about("s", start));
  EXPECT_EQ(stopped(), (ids{"a", "s", "t"})) << "an event alone says nothing";
  set.unanswered(*set.next_question(start), "it hangs", start);
  EXPECT_EQ(stopped(), (ids{"a", "t"})) << "it may run";
  set.answered(*set.next_question(start + 1s), std::nullopt);
  EXPECT_EQ(stopped(), (ids{"a", "s", "t"}));
  set.begin_list(start + race + 1s);
  set.listed({{make("t")}, {}, {"s"}}, start + race + 1s);
  EXPECT_EQ(stopped(), (ids{"s"}));
  EXPECT_EQ(set.take_stopped_changes(), (stopped_changes{{"a", false}, {"s", true}, {"t", false}}));
  EXPECT_TRUE(set.take_stopped_changes().empty());
}

TEST(container_set, what_stopped_is_forgotten_where_the_engine_is_silent_for_long) {
  container_set set;
  set.begin_list(start);
  set.listed({{make("a")}, {}, {"s"}}, start);
  EXPECT_EQ(set.take_stopped_changes(), (stopped_changes{{"s", true}}));
  set.forget_stopped();
  EXPECT_TRUE(set.stopped().empty());
  EXPECT_EQ(set.take_stopped_changes(), (stopped_changes{{"s", false}}));
  set.reset();
  set.begin_list(start + 1s);
  set.listed({{}, {}, {"s"}}, start + 1s);
  EXPECT_EQ(set.take_stopped_changes(), (stopped_changes{{"s", true}})) << "the next list says it again";
}

TEST(container_set, a_container_without_ports_is_named_up_to_a_limit) {
  container_set set;
  container_list all;
  all.running = {make("a"), {"b", "job", {}, {}}};
  set.listed(all, start);
  auto shown = set.snapshot();
  ASSERT_EQ(shown.without_ports.size(), 1U);
  EXPECT_EQ(shown.without_ports[0], (ports::portless{"b", "job"}));
  EXPECT_EQ(shown.more_without_ports, 0U);
  for (std::size_t i = 0; i < ports::max_portless + 4; ++i) all.running.push_back({std::to_string(i), "job", {}, {}});
  set.listed(all, start);
  shown = set.snapshot();
  EXPECT_EQ(shown.without_ports.size(), ports::max_portless);
  EXPECT_EQ(shown.more_without_ports, 5U);
}

TEST(container_set, more_ports_than_there_can_be_are_refused_container_by_container) {
  container_set set;
  container_list all;
  for (const auto* id : {"a", "b", "c"}) {
    auto c = make(id);
    c.bindings.resize(ports::max_bindings / 2, c.bindings.front());
    all.running.push_back(std::move(c));
  }
  set.listed(std::move(all), start);
  EXPECT_EQ(set.snapshot().bindings.size(), ports::max_bindings);
  ASSERT_EQ(set.snapshot().refusals.size(), 1U);
  EXPECT_EQ(set.snapshot().refusals[0].owner, "c");
}

}  // namespace
}  // namespace engine
