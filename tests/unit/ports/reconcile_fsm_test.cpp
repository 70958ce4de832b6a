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

class ReconcileFsm : public testing::Test {
 protected:
  static constexpr source_set everybody{0x3f};

  void want(std::initializer_list<forward> forwards, source_set settled = everybody) {
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

TEST_F(ReconcileFsm, AddsWhatIsWantedOnceThePeerIsKnown) {
  want({on(80)});
  EXPECT_EQ(take(), "");
  list();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  EXPECT_EQ(take(), "") << "it is in flight";
  EXPECT_EQ(fsm.slots().begin()->second.state, slot_state::absent) << "nothing is applied before the peer said so";
  finish();
  EXPECT_EQ(fsm.slots().begin()->second.state, slot_state::ours);
  EXPECT_TRUE(fsm.settled());
}

TEST_F(ReconcileFsm, RemovesWhatIsNoLongerWanted) {
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

TEST_F(ReconcileFsm, RemovesBeforeItAddsForOnePort) {
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

TEST_F(ReconcileFsm, AChangedValueIsRemovedAndAdded) {
  want({on(80, any, 8080)});
  list();
  take();
  finish();
  want({on(80, any, 9090)});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  EXPECT_EQ(fsm.slots().begin()->second.applied->container_port, 8080);
  finish();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish();
  EXPECT_EQ(fsm.slots().begin()->second.applied->container_port, 9090);
}

TEST_F(ReconcileFsm, AnAdditionThatIsCarriedOutLateIsOurs) {
  want({on(80)});
  list();
  take();
  finish(outcome_kind::unknown);
  EXPECT_THAT(list(), IsEmpty()) << "the journal keeps it";
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish(outcome_kind::exists);  // the first one has come
  list({{.key = on(80).key}});
  EXPECT_EQ(fsm.slots().begin()->second.state, slot_state::ours);
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(ReconcileFsm, ARemovalIsDoneOnceMoreWhenNothingCanComeLateAnyMore) {
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

TEST_F(ReconcileFsm, AConflictIsRetriedForThatKeyAlone) {
  want({on(80), on(81)});
  list();
  taken = fsm.take(1, now);
  finish(outcome_kind::conflict, "address already in use");
  EXPECT_EQ(take(), "+tcp 0.0.0.0:81 ");
  finish();
  const auto& slot = fsm.slots().begin()->second;
  EXPECT_EQ(slot.trouble->reason, "address already in use");
  const auto retry = fsm.wake_at(now);
  EXPECT_GT(retry, now);
  EXPECT_LE(retry, now + milliseconds(100));
  now = retry;
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
  finish();
  EXPECT_FALSE(fsm.slots().begin()->second.trouble);
}

TEST_F(ReconcileFsm, ABusyPortIsTriedAgainWithinTwoSecondsHoweverLongItWasBusy) {
  want({on(80)});
  list();
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(take(), "+tcp 0.0.0.0:80 ");
    finish(outcome_kind::conflict);
    ASSERT_LE(fsm.wake_at(now), now + seconds(2));
    now = fsm.wake_at(now);
  }
}

TEST_F(ReconcileFsm, AnUnknownOutcomeIsLearntFromThePeer) {
  want({on(80), on(81)});
  list();
  take();
  finish(outcome_kind::unknown, "timed out");
  EXPECT_EQ(take(), "");
  list({{on(80).key}});
  EXPECT_EQ(fsm.slots().begin()->second.state, slot_state::ours);
  EXPECT_EQ(take(), "+tcp 0.0.0.0:81 ") << "the first time without a delay";
}

TEST_F(ReconcileFsm, AnUnknownRemovalIsTriedAgainIfItIsStillThere) {
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

TEST_F(ReconcileFsm, APeerThatForgotGetsEverythingAgain) {
  want({on(80)});
  list();
  take();
  finish();
  fsm.peer_changed(now);
  const auto lost = list();
  EXPECT_THAT(lost, SizeIs(1));
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(ReconcileFsm, APeerThatIsDownIsAskedWithBackOffAndAtOnceWhenItIsBack) {
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

TEST_F(ReconcileFsm, WhatIsThereAsWantedCountsAsAppliedButStaysForeign) {
  want({on(2222, loopback)});
  list({{on(2222, loopback).key}});
  EXPECT_EQ(take(), "");
  EXPECT_EQ(fsm.slots().begin()->second.state, slot_state::foreign);
  want({});
  EXPECT_EQ(take(), "");
  EXPECT_THAT(fsm.slots(), IsEmpty());
}

TEST_F(ReconcileFsm, AForeignForwardThatGoesIsReplacedByOurs) {
  want({on(80)});
  list({{on(80).key}});
  fsm.peer_changed(now);
  list();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(ReconcileFsm, AnotherRemoteUnderOurKeyIsAConflictAndNeverRemoved) {
  want({on(80)});
  list({{on(80).key, false}});
  EXPECT_EQ(take(), "");
  EXPECT_EQ(fsm.slots().begin()->second.trouble->kind, outcome_kind::conflict);
  want({});
  EXPECT_EQ(take(), "");
}

TEST_F(ReconcileFsm, ExistsMakesItAskThePeer) {
  want({on(80)});
  list();
  take();
  finish(outcome_kind::exists, "proxy already running");
  EXPECT_EQ(fsm.status(), peer_status::awaiting);
  list({{on(80).key}});
  EXPECT_EQ(fsm.slots().begin()->second.state, slot_state::foreign);
}

TEST_F(ReconcileFsm, ForwardsOfOthersAreNeverTouched) {
  want({});
  list({{on(22).key}, {on(23).key, false}});
  EXPECT_EQ(take(), "");
  fsm.drain(now);
  EXPECT_EQ(take(), "");
}

TEST_F(ReconcileFsm, TheJournalSaysWhatIsOursAfterACrash) {
  fsm.remember({on(80), on(81)}, true, now);
  want({on(80)});
  list({{on(80).key}, {on(81).key}, {on(82).key}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:81 ") << "80 stays without a gap, 82 is not ours";
}

TEST_F(ReconcileFsm, WhatASourceMayStillWantIsKeptUntilItSpeaks) {
  fsm.remember({on(80)}, true, now);
  fsm.want({}, source_set{0x3e}, 1, now);  // docker has not spoken
  list({{on(80).key}});
  EXPECT_EQ(take(), "");
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(ReconcileFsm, WhatWasSeenAsAListenerWaitsForEverySource) {
  auto seen = on(80);
  seen.source = source_id::listeners;
  fsm.remember({seen}, true, now);
  const source_set all_but_docker{0x3e};
  want({}, all_but_docker);
  list({{on(80).key}});
  EXPECT_EQ(take(), "") << "it may be a port of Docker's";
  want({}, everybody);
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(ReconcileFsm, WhatWasExposedBeforeTheVmBootedGoesAtOnce) {
  fsm.remember({on(80)}, false, now);
  fsm.want({}, source_set{}, 1, now);
  list({{on(80).key}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(ReconcileFsm, JournaledForwardsThatAreGoneOrOfOthersAreReportedAsLost) {
  fsm.remember({on(80), on(81)}, true, now);
  want({});
  const auto lost = list({{on(81).key, false}});
  EXPECT_THAT(lost, SizeIs(2));
  EXPECT_EQ(take(), "");
}

TEST_F(ReconcileFsm, APeerThatCannotBeAskedGetsEverythingAgainWhenItIsANewInstance) {
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

TEST_F(ReconcileFsm, APeerThatCannotBeAskedIsToldOfTheJournalsForwards) {
  fsm.remember({on(80), on(81)}, true, now);
  want({on(80)});
  ASSERT_TRUE(fsm.should_list(now));
  EXPECT_THAT(fsm.listed(peer_state{"1", false, {}}, now), IsEmpty());
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 -tcp 0.0.0.0:81 ");
}

TEST_F(ReconcileFsm, APeerThatCutsEveryCallIsNotHammered) {
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

TEST_F(ReconcileFsm, AFreshStartOfASourceVerifiesThePeer) {
  want({on(80)});
  list();
  take();
  finish();
  fsm.want(all({on(80)}), everybody, 2, now);
  EXPECT_TRUE(fsm.should_list(now));
}

TEST_F(ReconcileFsm, APeerIsNotAskedWhileOperationsAreInFlight) {
  want({on(80)});
  list();
  take();
  fsm.peer_changed(now);
  EXPECT_FALSE(fsm.should_list(now));
  EXPECT_EQ(fsm.wake_at(now), time_point::max());
  finish();
  EXPECT_TRUE(fsm.should_list(now));
}

TEST_F(ReconcileFsm, DrainRemovesWhatIsOursWithoutWaitingForAnybody) {
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

TEST_F(ReconcileFsm, AnAdditionUnderWayIsOursToTakeBack) {
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

TEST_F(ReconcileFsm, WhatFallsDueAfterTheMomentOfTakeIsWokenFor) {
  want({on(80)});
  list();
  take();
  finish(outcome_kind::conflict, "busy");
  const auto due = fsm.wake_at(now);
  ASSERT_GT(due, now);
  EXPECT_EQ(text(fsm.take(100, due - std::chrono::nanoseconds(1))), "");
  EXPECT_EQ(fsm.wake_at(due - std::chrono::nanoseconds(1)), due) << "asked for the same moment as take()";
}

TEST_F(ReconcileFsm, OfAPeerThatIsOursAloneEverythingUnwantedIsRemoved) {
  fsm = reconcile_fsm({1, 100, false, false}, {});
  fsm.want({}, source_set{0x3e}, 1, now);
  list({{on(80).key, true, 80, "old"}});
  EXPECT_EQ(take(), "") << "docker has not spoken";
  want({});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
}

TEST_F(ReconcileFsm, OfAPeerThatIsOursAloneAnotherOwnersRuleIsReplaced) {
  fsm = reconcile_fsm({1, 100, false, false}, {});
  auto mine = on(80);
  mine.owner = "new";
  want({mine});
  list({{on(80).key, true, 0, "old"}});
  EXPECT_EQ(take(), "-tcp 0.0.0.0:80 ");
  finish();
  EXPECT_EQ(take(), "+tcp 0.0.0.0:80 ");
}

TEST_F(ReconcileFsm, APeerThatCannotBeAskedIsToldAgainWhenItIsAnotherOneOrWhenItSaysSo) {
  const auto answer = [this](const char* identity, bool repeat) {
    fsm.peer_changed(now);
    ASSERT_TRUE(fsm.should_list(now));
    EXPECT_THAT(fsm.listed(peer_state{identity, false, {}, repeat}, now), IsEmpty());
  };
  const auto since = [this] { return fsm.slots().begin()->second.since; };
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
