#include "ports/reconcile_fsm.hpp"

#include <gmock/gmock.h>

#include "tests/unit/ports/reconcile_fsm_fixture.hpp"

namespace ports {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::IsEmpty;
using testing::SizeIs;

using reconcile_fsm_test = reconcile_fsm_fixture;

TEST_F(reconcile_fsm_test, adds_what_is_wanted_once_the_peer_is_known) {
  want({on(80)});
  EXPECT_EQ(take(), "");
  list();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  EXPECT_EQ(take(), "") << "it is in flight";
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::absent) << "nothing is applied before the peer said so";
  finish();
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::ours);
  EXPECT_TRUE(fsm.settled());
}

TEST_F(reconcile_fsm_test, removes_what_is_no_longer_wanted) {
  want({on(80), on(81)});
  list();
  take();
  finish();
  want({on(81)});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  EXPECT_TRUE(fsm.settled());
  EXPECT_THAT(fsm.slots(), SizeIs(1));
}

TEST_F(reconcile_fsm_test, removes_before_it_adds_for_one_port) {
  want({on(80)});
  list();
  take();
  finish();
  want({on(80, loopback)});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  EXPECT_EQ(take(), "");
  finish();
  EXPECT_EQ(take(), "+tcp 127.0.0.1:80 ");
}

TEST_F(reconcile_fsm_test, a_changed_value_is_removed_and_added) {
  want({on(80, any, 8080)});
  list();
  take();
  finish();
  want({on(80, any, 9090)});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  EXPECT_EQ(fsm.slots().begin()->second.applied()->container_port, 8080);
  finish();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish();
  EXPECT_EQ(fsm.slots().begin()->second.applied()->container_port, 9090);
}

TEST_F(reconcile_fsm_test, another_port_inside_the_vm_is_another_value) {
  auto moved = on(80);
  moved.remapped_from = 9000;
  want({moved});
  list({{.key = moved.key}});
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::absent) << "another program's, and it leads elsewhere";
  EXPECT_EQ(fsm.slots().begin()->second.retry.trouble->kind, outcome_kind::conflict);
  want({on(80)});
  fsm.peer_changed(now);
  list({{.key = moved.key}});
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::foreign);
  want({moved});
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::absent) << "it no longer serves";
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish();
  want({on(80)});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_test, a_removal_is_done_once_more_when_nothing_can_come_late_any_more) {
  want({on(80)});
  list();
  take();
  finish(outcome_kind::unknown);
  want({});
  list();
  EXPECT_EQ(take(), "") << "the peer holds nothing";
  now += seconds(59);
  EXPECT_EQ(take(), "");
  EXPECT_TRUE(fsm.may_be_ours(on(80).key));
  now += seconds(1);
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  EXPECT_TRUE(fsm.settled());
  EXPECT_THAT(fsm.slots(), IsEmpty());
}

TEST_F(reconcile_fsm_test, a_conflict_is_retried_for_that_key_alone) {
  want({on(80), on(81)});
  list();
  taken = fsm.take(1, now);
  finish(outcome_kind::conflict, "address already in use");
  EXPECT_EQ(take(), "+tcp 0.0.0.0:81 ");
  finish();
  const auto& slot = fsm.slots().begin()->second;
  EXPECT_EQ(slot.retry.trouble->reason, "address already in use");
  const auto retry = fsm.wake_at(now);
  EXPECT_GT(retry, now);
  EXPECT_LE(retry, now + milliseconds(100));
  now = retry;
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish();
  EXPECT_FALSE(fsm.slots().begin()->second.retry.trouble);
}

TEST_F(reconcile_fsm_test, a_busy_port_is_tried_again_within_two_seconds_however_long_it_was_busy) {
  want({on(80)});
  list();
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(take(), "+tcp 0.0.0.0:80 ");
    finish(outcome_kind::conflict);
    ASSERT_LE(fsm.wake_at(now), now + seconds(2));
    now = fsm.wake_at(now);
  }
}

TEST_F(reconcile_fsm_test, an_unknown_outcome_is_learnt_from_the_peer) {
  want({on(80), on(81)});
  list();
  take();
  finish(outcome_kind::unknown, "timed out");
  EXPECT_EQ(take(), "");
  list({{on(80).key}});
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::ours);
  EXPECT_EQ(take(), "+tcp 0.0.0.0:81 ") << "the first time without a delay";
}

TEST_F(reconcile_fsm_test, an_unknown_removal_is_tried_again_if_it_is_still_there) {
  want({on(80)});
  list();
  take();
  finish();
  want({});
  take();
  finish(outcome_kind::unknown);
  list({{on(80).key}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_test, a_peer_that_forgot_gets_everything_again) {
  want({on(80)});
  list();
  take();
  finish();
  fsm.peer_changed(now);
  const auto lost = list();
  EXPECT_THAT(lost, SizeIs(1));
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_test, a_peer_that_is_down_is_asked_with_back_off_and_at_once_when_it_is_back) {
  want({on(80)});
  down();
  EXPECT_FALSE(fsm.should_list(now));
  EXPECT_LE(fsm.wake_at(now), now + milliseconds(50));
  for (int i = 0; i < 20; ++i) {
    now = fsm.wake_at(now);
    down();
  }
  EXPECT_LE(fsm.wake_at(now), now + seconds(1));
  EXPECT_GT(fsm.wake_at(now), now + milliseconds(700));
  fsm.peer_changed(now);
  list();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_test, a_peer_that_cuts_every_call_is_not_hammered) {
  want({on(80)});
  list();
  take();
  finish(outcome_kind::unknown);
  list();
  take();
  finish(outcome_kind::unknown);
  list();
  EXPECT_EQ(take(), "");
  EXPECT_GT(fsm.wake_at(now), now + milliseconds(50));
}

TEST_F(reconcile_fsm_test, a_fresh_start_of_a_source_verifies_the_peer) {
  want({on(80)});
  list();
  take();
  finish();
  fsm.want(all({on(80)}), all_sources, 2, now);
  EXPECT_TRUE(fsm.should_list(now));
}

TEST_F(reconcile_fsm_test, a_peer_is_not_asked_while_operations_are_in_flight) {
  want({on(80)});
  list();
  take();
  fsm.peer_changed(now);
  EXPECT_FALSE(fsm.should_list(now));
  EXPECT_EQ(fsm.wake_at(now), time_point::max());
  finish();
  EXPECT_TRUE(fsm.should_list(now));
}

TEST_F(reconcile_fsm_test, what_falls_due_after_the_moment_of_take_is_woken_for) {
  want({on(80)});
  list();
  take();
  finish(outcome_kind::conflict, "busy");
  const auto due = fsm.wake_at(now);
  ASSERT_GT(due, now);
  EXPECT_EQ(text(fsm.take(100, due - std::chrono::nanoseconds(1))), "");
  EXPECT_EQ(fsm.wake_at(due - std::chrono::nanoseconds(1)), due) << "asked for the same moment as take()";
}

}  // namespace
}  // namespace ports
