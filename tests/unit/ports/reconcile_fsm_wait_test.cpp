// What one port of a peer may wait for, and for how long: no key waits for a time that another key's doubt has set, and
// a wait that there is can be named.
#include <gmock/gmock.h>

#include "ports/reconcile_fsm.hpp"
#include "tests/unit/ports/reconcile_fsm_fixture.hpp"

namespace ports {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::IsEmpty;

class reconcile_fsm_wait_test : public reconcile_fsm_fixture {
 protected:
  void list(std::vector<held_forward> held = {}) {
    EXPECT_THAT(reconcile_fsm_fixture::list(std::move(held)), IsEmpty());
  }
  // Of a peer that cannot be asked.
  void look() {
    ASSERT_TRUE(fsm.should_list(now));
    EXPECT_THAT(fsm.listed(peer_state{"1", false, {}}, now), IsEmpty());
  }
  // To the next moment at which something is due, unless something is already or that is further away than `most`.
  void pass_to_next(milliseconds most) {
    const auto next = fsm.wake_at(now);
    if (next <= now + most) now = std::max(now, next);
  }
  // Both addresses of 80 are known to the machine: 0.0.0.0 may come late, 127.0.0.1 is wanted.
  void move_after_a_lost_answer() {
    want({on(80, any)});
    list();
    take();
    finish(outcome_kind::unknown, "connection reset");
    want({on(80, loopback)});
    list();
  }
};

TEST_F(reconcile_fsm_wait_test, another_address_does_not_wait_for_what_may_come_late) {
  move_after_a_lost_answer();
  EXPECT_EQ(take(), "+tcp 127.0.0.1:80 ");
}

TEST_F(reconcile_fsm_wait_test, what_came_late_and_is_in_the_way_is_removed_at_once) {
  move_after_a_lost_answer();
  take();
  finish(outcome_kind::conflict, "address already in use");
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  now = fsm.wake_at(now);
  EXPECT_EQ(take(), "+tcp 127.0.0.1:80 ");
  finish();
  EXPECT_EQ(fsm.slots().find(on(80, loopback).key)->second.state(), slot_state::ours);
}

TEST_F(reconcile_fsm_wait_test, a_refused_removal_of_another_address_is_not_waited_for) {
  want({on(80, any)});
  list();
  take();
  finish();
  want({on(80, loopback)});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish(outcome_kind::refused, "not now");
  EXPECT_EQ(take(), "+tcp 127.0.0.1:80 ") << "the peer says itself whether it is in the way";
}

// Nothing says there that the port is still held: the messages about one port keep their order.
TEST_F(reconcile_fsm_wait_test, a_peer_without_answers_hears_the_removal_first) {
  want({on(80, any)});
  look();
  take();
  finish();
  want({on(80, loopback)});
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(take(), "-tcp 0.0.0.0:80 ");
    finish(outcome_kind::unsent, "connection refused");
    look();
    pass_to_next(seconds(2));
  }
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  EXPECT_EQ(take(), "+tcp 127.0.0.1:80 ");
}

TEST_F(reconcile_fsm_wait_test, an_operation_that_was_not_sent_has_not_happened) {
  want({on(80, any)});
  list();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish(outcome_kind::unsent, "connection refused");
  EXPECT_FALSE(fsm.may_be_ours(on(80, any).key));
  EXPECT_EQ(fsm.slots().begin()->second.late_until, time_point{});
  list();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ") << "the first time without a delay";
  finish();
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish(outcome_kind::unsent, "connection refused");
  EXPECT_TRUE(fsm.may_be_ours(on(80, any).key));
}

TEST_F(reconcile_fsm_wait_test, a_peer_that_takes_nothing_is_asked_at_a_growing_pace) {
  want({on(80, any)});
  list();
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(take(), "+tcp 0.0.0.0:80 ");
    finish(outcome_kind::unsent, "no descriptors");
    list();
    pass_to_next(seconds(2));
  }
  EXPECT_GT(now, time_point{seconds(1000)} + seconds(4));
}

TEST_F(reconcile_fsm_wait_test, forty_ports_that_move_after_one_broken_connection_are_there_within_a_second) {
  forward_map before, after;
  for (std::uint16_t port = 1; port <= 40; ++port) {
    before[on(port, any).key] = on(port, any);
    after[on(port, loopback).key] = on(port, loopback);
  }
  fsm.want(before, all_sources, 1, now);
  list();
  const auto batch = fsm.take(100, now);
  ASSERT_EQ(batch.size(), 40U);
  for (const auto& op : batch)
    fsm.finished(op, {&op == &batch.front() ? outcome_kind::unknown : outcome_kind::unsent, "reset"}, now);
  const auto start = now;
  fsm.want(after, all_sources, 1, now);
  list();
  const auto held = [&](const auto& item) { return item.second.state() == slot_state::ours; };
  for (int i = 0; i < 10 && std::ranges::count_if(fsm.slots(), held) < 40; ++i) {
    take();
    finish();
    pass_to_next(seconds(1));
  }
  EXPECT_EQ(std::ranges::count_if(fsm.slots(), held), 40);
  EXPECT_LE(now, start + seconds(1));
}

TEST_F(reconcile_fsm_wait_test, a_wait_has_a_reason) {
  const auto reason = [this](net::address address) { return fsm.waits_for(on(80, address).key, now); };
  want({on(80, any)});
  EXPECT_EQ(reason(any), "the peer has not been asked yet what it holds");
  list();
  take();
  EXPECT_EQ(reason(any), "") << "it is under way";
  want({on(80, loopback)});
  EXPECT_EQ(reason(loopback), "tcp 0.0.0.0:80 is being exposed");
  finish();
  EXPECT_EQ(reason(loopback), "tcp 0.0.0.0:80 is to be removed first");
  take();
  EXPECT_EQ(reason(loopback), "tcp 0.0.0.0:80 is being removed");
  finish(outcome_kind::unknown, "connection reset");
  EXPECT_EQ(reason(loopback), "the peer has not been asked yet what it holds");
  list({{on(80, any).key}});
  EXPECT_EQ(reason(loopback), "tcp 0.0.0.0:80 is to be removed first");
  take();
  finish();
  EXPECT_EQ(reason(loopback), "");
}

// ---- another program's forward in the way ----

TEST_F(reconcile_fsm_wait_test, a_forward_of_others_in_the_way_is_asked_about_at_a_growing_pace) {
  const std::vector<held_forward> others{{on(80, any).key, false}};
  want({on(80, any)});
  list(others);
  const auto start = now;
  int tries = 0;
  while (now < start + seconds(300)) {
    now = std::max(now, fsm.wake_at(now));
    if (take().empty()) continue;
    ++tries;
    finish(outcome_kind::exists, "proxy already running");
    list(others);
  }
  EXPECT_LT(tries, 30) << "in five minutes";
  EXPECT_LE(fsm.wake_at(now), now + seconds(15));
}

TEST_F(reconcile_fsm_wait_test, a_forward_of_others_that_has_gone_from_the_list_is_replaced_at_once) {
  const std::vector<held_forward> others{{on(80, any).key, false}};
  want({on(80, any)});
  for (int i = 0; i < 5; ++i) {
    fsm.peer_changed(now);
    list(others);
    EXPECT_EQ(take(), "");
  }
  fsm.peer_changed(now);
  list();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

// ---- what is served inside the VM first ----

TEST_F(reconcile_fsm_wait_test, what_is_held_back_is_added_at_its_time_or_when_it_is_released) {
  auto held_back = on(80, loopback);
  held_back.not_before = now + milliseconds(100);
  want({held_back, on(81, any)});
  list();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:81 ") << "others do not wait";
  EXPECT_EQ(fsm.wake_at(now), held_back.not_before);
  EXPECT_EQ(fsm.waits_for(held_back.key, now), "it is not served inside the VM yet, or its owner is not known");
  want({on(80, loopback), on(81, any)});
  EXPECT_EQ(take(), "+tcp 127.0.0.1:80 ");
  finish();
  want({held_back, on(81, any)});
  EXPECT_TRUE(fsm.settled()) << "what is open stays open";
  EXPECT_EQ(fsm.slots().find(held_back.key)->second.state(), slot_state::ours);
}

TEST_F(reconcile_fsm_wait_test, what_is_held_back_is_added_when_its_time_is_over) {
  auto held_back = on(80, loopback);
  held_back.not_before = now + milliseconds(100);
  want({held_back});
  list();
  now += milliseconds(99);
  EXPECT_EQ(take(), "");
  now += milliseconds(1);
  EXPECT_EQ(take(), "+tcp 127.0.0.1:80 ");
}

TEST_F(reconcile_fsm_wait_test, what_an_earlier_run_exposed_is_not_held_back) {
  fsm.remember({on(80, loopback)}, true, now);
  auto held_back = on(80, loopback);
  held_back.not_before = now + milliseconds(100);
  want({held_back});
  look();
  EXPECT_EQ(take(), "+tcp 127.0.0.1:80 ") << "it may be open";
}

}  // namespace
}  // namespace ports
