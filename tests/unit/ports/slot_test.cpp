// Walks the transition table: each cell by itself, and each that can happen through reconcile_fsm.
#include "ports/slot.hpp"

#include <gmock/gmock.h>

#include <stdexcept>

#include "ports/reconcile_fsm.hpp"

namespace ports {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using enum slot_state;
using enum slot_event;

constexpr std::array all_states{absent, uncertain, ours, foreign};
constexpr std::optional<slot_state> none{};

struct row {
  slot_event event;
  std::array<std::optional<slot_state>, 4> next;
};
// What is expected, written down once more.
constexpr std::array expected{
    row{unwanted, {absent, uncertain, ours, absent}},
    row{listed_missing, {absent, absent, absent, absent}},
    row{listed_missing_late, {none, uncertain, none, none}},
    row{listed_exact, {foreign, ours, ours, foreign}},
    row{listed_exact_own, {ours, ours, ours, none}},
    row{listed_other, {absent, absent, absent, absent}},
    row{peer_unsure, {absent, uncertain, uncertain, foreign}},
    row{add_done, {ours, ours, none, none}},
    row{add_denied, {absent, absent, none, none}},
    row{add_denied_late, {uncertain, uncertain, none, none}},
    row{add_unknown, {uncertain, uncertain, none, none}},
    row{add_unsent, {absent, uncertain, none, none}},
    row{remove_done, {none, absent, absent, none}},
    row{remove_done_late, {none, uncertain, uncertain, none}},
    row{remove_denied, {none, uncertain, ours, none}},
    row{remove_unknown, {none, uncertain, uncertain, none}},
    row{remove_unsent, {none, uncertain, ours, none}},
};
static_assert(expected.size() == slot_event_count);

const time_point start{seconds(1000)}, later{seconds(2000)};
const forward web{{net::protocol::tcp, net::address::any_v4(), 8080}, 80, source_id::docker};
const forward other{web.key, 81, source_id::docker};

slot in(slot_state state) {
  slot made;
  made.wanted = web;
  if (state == uncertain) made.held = slot::uncertain{web, origin::journal, start};
  if (state == ours) made.held = slot::ours{web, origin::journal, start};
  if (state == foreign) made.held = slot::foreign{web, start};
  return made;
}
std::string name(slot_state state, slot_event event) {
  return "state " + std::to_string(static_cast<int>(state)) + " event " + std::to_string(static_cast<int>(event));
}

TEST(slot, each_event_leads_from_each_state_where_the_table_says) {
  for (const auto& [event, next] : expected)
    for (const auto state : all_states) {
      SCOPED_TRACE(name(state, event));
      const auto to = next.at(static_cast<std::size_t>(state));
      EXPECT_EQ(next_state(state, event), to);
      auto s = in(state);
      if (!to) {
        EXPECT_THROW(s.apply(event, web, later), std::logic_error);
        EXPECT_EQ(s.state(), state);
      } else {
        s.apply(event, web, later);
        EXPECT_EQ(s.state(), *to);
        EXPECT_EQ(s.applied() == nullptr, *to == absent);
      }
    }
}

TEST(slot, what_is_there_stays_unless_the_event_brings_another_value) {
  auto s = in(ours);
  s.apply(peer_unsure, std::nullopt, later);
  EXPECT_EQ(*s.applied(), web);
  s.apply(add_done, other, later);
  EXPECT_EQ(*s.applied(), other);
}

TEST(slot, the_age_counts_from_when_it_was_applied_first) {
  auto s = in(absent);
  s.apply(add_done, web, start);
  EXPECT_EQ(s.since(), start);
  s.apply(peer_unsure, std::nullopt, later);
  s.apply(add_done, web, later);
  EXPECT_EQ(s.since(), start) << "sent to the same peer again";
  s.apply(peer_unsure, std::nullopt, later);
  s.reset_since();
  s.apply(add_done, web, later);
  EXPECT_EQ(s.since(), later) << "sent to another instance";
  s.apply(remove_done, web, later);
  EXPECT_EQ(s.since(), time_point{});
}

TEST(slot, the_age_of_what_is_found_counts_from_the_list) {
  for (const auto state : {absent, uncertain}) {
    auto s = in(state);
    s.apply(listed_exact, web, later);
    EXPECT_EQ(s.since(), later);
  }
  for (const auto state : {ours, foreign}) {
    auto s = in(state);
    s.apply(listed_exact, web, later);
    EXPECT_EQ(s.since(), start);
  }
}

TEST(slot, an_answer_makes_it_this_runs) {
  for (const auto event : {remove_denied, remove_unknown, remove_done_late}) {
    auto s = in(ours);
    s.apply(event, web, later);
    EXPECT_EQ(s.from(), origin::this_run);
  }
  auto unsent = in(ours);
  unsent.apply(remove_unsent, std::nullopt, later);
  EXPECT_EQ(unsent.from(), origin::journal);
  unsent.apply(listed_exact, web, later);
  EXPECT_EQ(unsent.from(), origin::journal) << "a list answers for the peer, not for the source";
}

TEST(slot, what_a_peer_of_the_agents_own_holds_was_left_by_an_earlier_run) {
  auto wanted = in(absent);
  wanted.apply(listed_exact_own, web, later);
  EXPECT_EQ(wanted.from(), origin::journal) << "the source that wants it is known";
  slot stray;
  stray.apply(listed_exact_own, web, later);
  EXPECT_EQ(stray.from(), origin::found);
}

// ---- the same through the machine ----

class machine {
 public:
  explicit machine(bool shared) : fsm_(sink_traits{.batch = 10, .shared = shared}, reconcile_options{}) {}

  // Brings the slot of `web` there. It stays wanted.
  void bring_to(slot_state state) {
    if (state == uncertain) fsm_.remember({web}, false, now_);
    want({web});
    // A peer that cannot list leaves what was remembered uncertain.
    if (state == uncertain) return list_nothing();
    if (state == foreign) return list({{.key = web.key}});
    list({});
    if (state == ours) finish(outcome_kind::done);
  }
  // False: the event cannot be brought about in this state.
  bool bring_about(slot_event event) {
    switch (event) {
      case unwanted: want({}); return true;
      case listed_missing: relist({}); return true;
      case listed_missing_late: return miss_late();
      case listed_exact:
      case listed_exact_own: relist({{.key = web.key}}); return true;
      case listed_other: relist({{.key = web.key, .exact = false}}); return true;
      case peer_unsure:
        fsm_.peer_changed(now_);
        list_nothing("another");
        return true;
      case add_done: return finish(verb::add, outcome_kind::done);
      case add_denied: return finish(verb::add, outcome_kind::conflict);
      case add_unknown: return finish(verb::add, outcome_kind::unknown);
      case add_unsent: return finish(verb::add, outcome_kind::unsent);
      case remove_done: return remove(outcome_kind::done);
      case remove_denied: return remove(outcome_kind::refused);
      case remove_unknown: return remove(outcome_kind::unknown);
      case remove_unsent: return remove(outcome_kind::unsent);
      case add_denied_late: return lose_addition() && finish(verb::add, outcome_kind::conflict);
      case remove_done_late: return state() == uncertain && lose_addition() && remove(outcome_kind::done);
    }
    return false;
  }
  [[nodiscard]] slot_state state() const {
    const auto at = fsm_.slots().find(web.key);
    return at == fsm_.slots().end() ? absent : at->second.state();
  }

 private:
  void want(const std::vector<forward>& all) {
    forward_map wanted;
    for (const auto& f : all) wanted[f.key] = f;
    fsm_.want(wanted, all_sources, 1, now_);
  }
  void list(std::vector<held_forward> held) { answer({"one", true, std::move(held)}); }
  void list_nothing(std::string instance = "one") { answer({std::move(instance), false, {}}); }
  void answer(const peer_state& what) {
    ASSERT_TRUE(fsm_.should_list(now_));
    static_cast<void>(fsm_.listed(what, now_));
  }
  void relist(std::vector<held_forward> held) {
    fsm_.peer_changed(now_);
    list(std::move(held));
  }
  // False: the machine does not ask for this operation.
  bool finish(verb what, outcome_kind kind) {
    const auto taken = fsm_.take(10, now_);
    if (taken.size() != 1 || taken.front().what != what) return false;
    fsm_.finished(taken.front(), {kind, "why"}, now_);
    return true;
  }
  void finish(outcome_kind kind) { ASSERT_TRUE(finish(verb::add, kind)); }
  bool remove(outcome_kind kind) {
    want({});
    return finish(verb::remove, kind);
  }
  // An addition without an answer, which leaves the slot uncertain for a while.
  bool lose_addition() {
    if (!finish(verb::add, outcome_kind::unknown)) return false;
    list_nothing();
    return true;
  }
  bool miss_late() {
    if (state() != uncertain || !lose_addition()) return false;
    relist({});
    return true;
  }

  time_point now_ = start;
  reconcile_fsm fsm_;
};

void walk(bool shared, slot_state state) {
  for (const auto& [event, next] : expected) {
    if (event == listed_exact_own ? shared : event == listed_exact && !shared) continue;
    SCOPED_TRACE(name(state, event));
    machine m(shared);
    m.bring_to(state);
    ASSERT_EQ(m.state(), state);
    const bool happened = m.bring_about(event);
    const auto to = next.at(static_cast<std::size_t>(state));
    if (!to) EXPECT_FALSE(happened) << "it cannot happen";
    if (to && happened) EXPECT_EQ(m.state(), *to);
    // A late addition of a slot that is ours by now is not brought about here.
    if (to && !(event == remove_done_late && state == ours)) EXPECT_TRUE(happened) << "it can happen";
  }
}

TEST(slot, the_machine_walks_the_table_for_a_peer_that_others_use) {
  for (const auto state : all_states) walk(true, state);
}

TEST(slot, the_machine_walks_the_table_for_a_peer_of_the_agents_own) {
  for (const auto state : {absent, uncertain, ours}) walk(false, state);
}

TEST(slot, the_machine_rejects_the_outcome_of_an_operation_that_it_has_not_handed_out) {
  reconcile_fsm fsm(sink_traits{}, reconcile_options{});
  EXPECT_THROW(fsm.finished({verb::add, web}, {}, start), std::logic_error);
  fsm.want({{web.key, web}}, all_sources, 1, start);
  EXPECT_THROW(fsm.finished({verb::add, web}, {}, start), std::logic_error);
}

}  // namespace
}  // namespace ports
