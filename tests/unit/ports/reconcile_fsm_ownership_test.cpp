// What of the peer's forwards is ours: after a crash, beside others, at the end, and at a peer that cannot be asked.
#include <gmock/gmock.h>

#include "ports/reconcile_fsm.hpp"
#include "tests/unit/ports/reconcile_fsm_fixture.hpp"

namespace ports {
namespace {

using std::chrono::seconds;
using testing::IsEmpty;
using testing::SizeIs;

using reconcile_fsm_ownership_test = reconcile_fsm_fixture;

TEST_F(reconcile_fsm_ownership_test, a_late_addition_of_a_port_that_was_moved_since_is_ours) {
  auto first = on(8080), second = on(8080);
  first.remapped_from = 80;
  second.remapped_from = 81;
  want({first});
  list();
  take();
  finish(outcome_kind::unknown);
  want({second});
  list();
  EXPECT_EQ(take(), "-tcp 0.0.0.0:8080 ");
  finish();  // there is nothing yet
  EXPECT_EQ(take(), "+tcp 0.0.0.0:8080 ");
  finish(outcome_kind::exists);  // the first one has come
  EXPECT_THAT(list({{.key = first.key, .remapped_from = 80}}), IsEmpty()) << "the journal keeps it";
  EXPECT_EQ(take(), "-tcp 0.0.0.0:8080 ");
  finish();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:8080 ");
}

TEST_F(reconcile_fsm_ownership_test, an_addition_that_is_carried_out_late_is_ours) {
  want({on(80)});
  list();
  take();
  finish(outcome_kind::unknown);
  EXPECT_THAT(list(), IsEmpty()) << "the journal keeps it";
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish(outcome_kind::exists);  // the first one has come
  list({{.key = on(80).key}});
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::ours);
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

// The kernel sends what was on its way when the link went.
TEST_F(reconcile_fsm_ownership_test, an_addition_that_is_carried_out_after_a_peer_was_away_is_ours) {
  want({on(80)});
  list();
  take();
  finish(outcome_kind::unknown);
  want({});
  now += seconds(70);
  EXPECT_THAT(list(), IsEmpty()) << "the journal keeps it";
  EXPECT_EQ(take(), "");
  now += seconds(20);
  fsm.peer_changed(now);
  list({{.key = on(80).key}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  now += seconds(40);
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ") << "a minute from the first list";
  finish();
  EXPECT_THAT(fsm.slots(), IsEmpty());
}

TEST_F(reconcile_fsm_ownership_test, what_is_there_as_wanted_counts_as_applied_but_stays_foreign) {
  want({on(2222, loopback)});
  list({{on(2222, loopback).key}});
  EXPECT_EQ(take(), "");
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::foreign);
  want({});
  EXPECT_EQ(take(), "");
  EXPECT_THAT(fsm.slots(), IsEmpty());
}

TEST_F(reconcile_fsm_ownership_test, a_foreign_forward_that_goes_is_replaced_by_ours) {
  want({on(80)});
  list({{on(80).key}});
  fsm.peer_changed(now);
  list();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_ownership_test, another_remote_under_our_key_is_a_conflict_and_never_removed) {
  want({on(80)});
  list({{on(80).key, false}});
  EXPECT_EQ(take(), "");
  EXPECT_EQ(fsm.slots().begin()->second.retry.trouble->kind, outcome_kind::conflict);
  want({});
  EXPECT_EQ(take(), "");
}

TEST_F(reconcile_fsm_ownership_test, exists_makes_it_ask_the_peer) {
  want({on(80)});
  list();
  take();
  finish(outcome_kind::exists, "proxy already running");
  EXPECT_EQ(fsm.listing().status(), peer_status::awaiting);
  list({{on(80).key}});
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::foreign);
}

TEST_F(reconcile_fsm_ownership_test, forwards_of_others_are_never_touched) {
  want({});
  list({{on(22).key}, {on(23).key, false}});
  EXPECT_EQ(take(), "");
  fsm.drain(now);
  EXPECT_EQ(take(), "");
}

TEST_F(reconcile_fsm_ownership_test, the_journal_says_what_is_ours_after_a_crash) {
  fsm.remember({on(80), on(81)}, true, now);
  want({on(80)});
  list({{on(80).key}, {on(81).key}, {on(82).key}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:81 ") << "80 stays without a gap, 82 is not ours";
}

TEST_F(reconcile_fsm_ownership_test, what_a_source_may_still_want_is_kept_until_it_speaks) {
  fsm.remember({on(80)}, true, now);
  fsm.want({}, all_but_docker, 1, now);  // docker has not spoken
  list({{on(80).key}});
  EXPECT_EQ(take(), "");
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_ownership_test, what_was_seen_as_a_listener_waits_for_every_source) {
  auto seen = on(80);
  seen.source = source_id::listeners;
  fsm.remember({seen}, true, now);
  want({}, all_but_docker);
  list({{on(80).key}});
  EXPECT_EQ(take(), "") << "it may be a port of Docker's";
  want({}, all_sources);
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_ownership_test, what_was_exposed_before_the_vm_booted_goes_at_once) {
  fsm.remember({on(80)}, false, now);
  fsm.want({}, source_set{}, 1, now);
  list({{on(80).key}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_ownership_test, journaled_forwards_of_others_are_reported_as_lost_and_missing_ones_removed) {
  fsm.remember({on(80), on(81)}, true, now);
  want({});
  EXPECT_THAT(list({{on(81).key, false}}), SizeIs(1));
  EXPECT_EQ(take(), "");
  now += seconds(60);
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ") << "it could come until now";
}

TEST_F(reconcile_fsm_ownership_test, the_last_request_of_a_killed_run_may_come_late_and_is_ours) {
  fsm.remember({on(80)}, true, now);
  want({on(80)});
  EXPECT_THAT(list(), IsEmpty()) << "the journal keeps it";
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish(outcome_kind::exists);  // it has come
  list({{.key = on(80).key}});
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::ours);
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_ownership_test, the_last_request_of_a_killed_run_may_come_after_a_peer_that_was_away) {
  fsm.remember({on(80)}, true, now);
  want({});
  now += seconds(70);
  EXPECT_THAT(list(), IsEmpty()) << "its link is back, and the kernel may send the request again";
  now += seconds(30);
  fsm.peer_changed(now);
  EXPECT_THAT(list(), IsEmpty());
  now += seconds(29);
  EXPECT_EQ(take(), "");
  now += seconds(1);
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ") << "a minute from the first list, not from the second";
}

TEST_F(reconcile_fsm_ownership_test, nothing_comes_late_of_what_the_peer_holds_after_a_crash) {
  fsm.remember({on(80)}, true, now);
  want({on(80)});
  list({{.key = on(80).key}});
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  EXPECT_THAT(fsm.slots(), IsEmpty());
}

TEST_F(reconcile_fsm_ownership_test, a_peer_that_cannot_be_asked_gets_everything_again_when_it_is_a_new_instance) {
  want({on(80)});
  ASSERT_TRUE(fsm.should_list(now));
  EXPECT_THAT(fsm.listed(peer_state{"1", false, {}}, now), IsEmpty());
  take();
  finish();
  fsm.peer_changed(now);
  ASSERT_TRUE(fsm.should_list(now));
  EXPECT_THAT(fsm.listed(peer_state{"1", false, {}}, now), IsEmpty());
  EXPECT_EQ(take(), "") << "the same instance";
  fsm.peer_changed(now);
  ASSERT_TRUE(fsm.should_list(now));
  EXPECT_THAT(fsm.listed(peer_state{"2", false, {}}, now), IsEmpty());
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_ownership_test, a_peer_that_cannot_be_asked_is_told_of_the_journals_forwards) {
  fsm.remember({on(80), on(81)}, true, now);
  want({on(80)});
  ASSERT_TRUE(fsm.should_list(now));
  EXPECT_THAT(fsm.listed(peer_state{"1", false, {}}, now), IsEmpty());
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 -tcp 0.0.0.0:81 ");
}

TEST_F(reconcile_fsm_ownership_test, drain_removes_what_is_ours_without_waiting) {
  fsm.remember({on(90)}, true, now);
  fsm.want(all({on(80)}), source_set{}, 1, now);
  list({{on(90).key}});
  take();
  finish();
  fsm.drain(now);
  want({on(85)});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 -tcp 0.0.0.0:90 ");
  EXPECT_TRUE(fsm.holds_ours());
  finish();
  EXPECT_FALSE(fsm.holds_ours());
  EXPECT_TRUE(fsm.settled());
}

TEST_F(reconcile_fsm_ownership_test, an_addition_under_way_is_ours_to_take_back) {
  want({on(80)});
  list();
  EXPECT_FALSE(fsm.holds_ours());
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  fsm.drain(now);
  EXPECT_TRUE(fsm.holds_ours()) << "the peer may have it before it says so";
  finish();
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  EXPECT_FALSE(fsm.holds_ours());
}

TEST_F(reconcile_fsm_ownership_test, of_a_peer_that_is_ours_alone_everything_unwanted_is_removed) {
  fsm = reconcile_fsm({1, 100, false, false}, {});
  fsm.want({}, all_but_docker, 1, now);
  list({{on(80).key, true, 80, "old"}});
  EXPECT_EQ(take(), "") << "docker has not spoken";
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_ownership_test, of_a_peer_that_is_ours_alone_another_owners_rule_is_replaced) {
  fsm = reconcile_fsm({1, 100, false, false}, {});
  auto mine = on(80);
  mine.owner = "new";
  want({mine});
  list({{on(80).key, true, 0, "old"}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_ownership_test,
       a_peer_that_cannot_be_asked_is_told_again_when_it_is_another_one_or_when_it_says_so) {
  const auto answer = [this](const char* identity, bool repeat) {
    fsm.peer_changed(now);
    ASSERT_TRUE(fsm.should_list(now));
    EXPECT_THAT(fsm.listed(peer_state{identity, false, {}, repeat}, now), IsEmpty());
  };
  const auto since = [this] { return fsm.slots().begin()->second.since(); };
  fsm = reconcile_fsm({1, 100, false, false}, {});
  want({on(80)});
  answer("one", false);
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish();
  const auto first = now;
  now += seconds(60);
  answer("one", false);
  EXPECT_EQ(take(), "") << "it is the same one";
  answer("one", true);
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish();
  EXPECT_EQ(since(), first) << "it has been there all the time";
  answer("two", false);
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish();
  EXPECT_EQ(since(), now);
}

}  // namespace
}  // namespace ports
