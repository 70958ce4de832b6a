#include "ports/reconcile_fsm.hpp"

#include <gmock/gmock.h>

namespace ports {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::IsEmpty;
using testing::SizeIs;

const net::address any = net::address::any_v4();
const net::address loopback = net::address::loopback_v4();

forward on(std::uint16_t port, net::address address = any, std::uint16_t container_port = 0) {
  return {{net::protocol::tcp, address, port}, container_port, source_id::docker, {}};
}
forward_map all(std::initializer_list<forward> forwards) {
  forward_map made;
  for (const auto& f : forwards) made[f.key] = f;
  return made;
}
std::string text(const std::vector<operation>& operations) {
  std::string joined;
  for (const auto& op : operations) joined += (op.what == verb::add ? "+" : "-") + to_string(op.target.key) + " ";
  return joined;
}

class reconcile_fsm_test : public testing::Test {
 protected:
  const source_set all_but_docker = source_set(all_sources).reset(source_id::docker.rank());

  void want(std::initializer_list<forward> forwards, source_set settled = all_sources) {
    fsm.want(all(forwards), settled, 1, now);
  }
  std::vector<forward> list(std::vector<held_forward> held = {}) {
    EXPECT_TRUE(fsm.should_list(now));
    return fsm.listed(peer_state{"", true, std::move(held)}, now);
  }
  void down() {
    EXPECT_TRUE(fsm.should_list(now));
    EXPECT_THAT(fsm.listed(base::fail(std::errc::connection_refused, "peer"), now), IsEmpty());
  }
  std::string take() {
    const auto more = fsm.take(100, now);
    taken.insert(taken.end(), more.begin(), more.end());
    return text(more);
  }
  void finish(outcome_kind kind = outcome_kind::done, std::string reason = {}) {
    for (const auto& op : std::exchange(taken, {})) fsm.finished(op, {kind, reason}, now);
  }

  time_point now{seconds(1000)};
  reconcile_fsm fsm{sink_traits{1, 100, true, false}, reconcile_options{}};
  std::vector<operation> taken;
};

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

TEST_F(reconcile_fsm_test, an_addition_that_is_carried_out_late_is_ours) {
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

TEST_F(reconcile_fsm_test, what_is_there_as_wanted_counts_as_applied_but_stays_foreign) {
  want({on(2222, loopback)});
  list({{on(2222, loopback).key}});
  EXPECT_EQ(take(), "");
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::foreign);
  want({});
  EXPECT_EQ(take(), "");
  EXPECT_THAT(fsm.slots(), IsEmpty());
}

TEST_F(reconcile_fsm_test, a_foreign_forward_that_goes_is_replaced_by_ours) {
  want({on(80)});
  list({{on(80).key}});
  fsm.peer_changed(now);
  list();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_test, another_remote_under_our_key_is_a_conflict_and_never_removed) {
  want({on(80)});
  list({{on(80).key, false}});
  EXPECT_EQ(take(), "");
  EXPECT_EQ(fsm.slots().begin()->second.retry.trouble->kind, outcome_kind::conflict);
  want({});
  EXPECT_EQ(take(), "");
}

TEST_F(reconcile_fsm_test, exists_makes_it_ask_the_peer) {
  want({on(80)});
  list();
  take();
  finish(outcome_kind::exists, "proxy already running");
  EXPECT_EQ(fsm.listing().status(), peer_status::awaiting);
  list({{on(80).key}});
  EXPECT_EQ(fsm.slots().begin()->second.state(), slot_state::foreign);
}

TEST_F(reconcile_fsm_test, forwards_of_others_are_never_touched) {
  want({});
  list({{on(22).key}, {on(23).key, false}});
  EXPECT_EQ(take(), "");
  fsm.drain(now);
  EXPECT_EQ(take(), "");
}

TEST_F(reconcile_fsm_test, the_journal_says_what_is_ours_after_a_crash) {
  fsm.remember({on(80), on(81)}, true, now);
  want({on(80)});
  list({{on(80).key}, {on(81).key}, {on(82).key}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:81 ") << "80 stays without a gap, 82 is not ours";
}

TEST_F(reconcile_fsm_test, what_a_source_may_still_want_is_kept_until_it_speaks) {
  fsm.remember({on(80)}, true, now);
  fsm.want({}, all_but_docker, 1, now);  // docker has not spoken
  list({{on(80).key}});
  EXPECT_EQ(take(), "");
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_test, what_was_seen_as_a_listener_waits_for_every_source) {
  auto seen = on(80);
  seen.source = source_id::listeners;
  fsm.remember({seen}, true, now);
  want({}, all_but_docker);
  list({{on(80).key}});
  EXPECT_EQ(take(), "") << "it may be a port of Docker's";
  want({}, all_sources);
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_test, what_was_exposed_before_the_vm_booted_goes_at_once) {
  fsm.remember({on(80)}, false, now);
  fsm.want({}, source_set{}, 1, now);
  list({{on(80).key}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_test, journaled_forwards_that_are_gone_or_of_others_are_reported_as_lost) {
  fsm.remember({on(80), on(81)}, true, now);
  want({});
  const auto lost = list({{on(81).key, false}});
  EXPECT_THAT(lost, SizeIs(2));
  EXPECT_EQ(take(), "");
}

TEST_F(reconcile_fsm_test, a_peer_that_cannot_be_asked_gets_everything_again_when_it_is_a_new_instance) {
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

TEST_F(reconcile_fsm_test, a_peer_that_cannot_be_asked_is_told_of_the_journals_forwards) {
  fsm.remember({on(80), on(81)}, true, now);
  want({on(80)});
  ASSERT_TRUE(fsm.should_list(now));
  EXPECT_THAT(fsm.listed(peer_state{"1", false, {}}, now), IsEmpty());
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 -tcp 0.0.0.0:81 ");
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

TEST_F(reconcile_fsm_test, drain_removes_what_is_ours_without_waiting) {
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

TEST_F(reconcile_fsm_test, an_addition_under_way_is_ours_to_take_back) {
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

TEST_F(reconcile_fsm_test, of_a_peer_that_is_ours_alone_everything_unwanted_is_removed) {
  fsm = reconcile_fsm({1, 100, false, false}, {});
  fsm.want({}, all_but_docker, 1, now);
  list({{on(80).key, true, 80, "old"}});
  EXPECT_EQ(take(), "") << "docker has not spoken";
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_test, of_a_peer_that_is_ours_alone_another_owners_rule_is_replaced) {
  fsm = reconcile_fsm({1, 100, false, false}, {});
  auto mine = on(80);
  mine.owner = "new";
  want({mine});
  list({{on(80).key, true, 0, "old"}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(reconcile_fsm_test, a_peer_that_cannot_be_asked_is_told_again_when_it_is_another_one_or_when_it_says_so) {
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
