// The reconciler over a scripted sink: what the machine asks for reaches the sink, and the journal is one step ahead.
#include "ports/reconciler.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <set>
#include <string>

#include "tests/unit/ports/reconciler_fixture.hpp"

namespace ports {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

TEST_F(reconciler_test, makes_the_peer_hold_what_is_wanted) {
  start();
  want({on(1), on(2), on(3), on(4), on(5)});
  EXPECT_TRUE(holds_soon({1, 2, 3, 4, 5}));
  want({on(2)});
  EXPECT_TRUE(holds_soon({2}));
}

TEST_F(reconciler_test, the_journal_names_a_forward_before_the_peer_is_asked) {
  std::string seen;
  script_.on_apply = [&](const operation&) {
    std::ifstream file(directory_ / "scripted.journal");
    seen.assign(std::istreambuf_iterator<char>(file), {});
  };
  start();
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  EXPECT_THAT(seen, testing::HasSubstr("+ tcp 0.0.0.0 80"));
}

TEST_F(reconciler_test, after_a_crash_it_removes_what_is_gone_and_touches_nothing_else) {
  script_.held.insert(on(22).key);
  start();
  want({on(80), on(81)});
  ASSERT_TRUE(holds_soon({22, 80, 81}));
  crash();
  unsigned operations = 0;
  script_.on_apply = [&](const operation&) { ++operations; };
  start();
  want({on(80)});
  EXPECT_TRUE(holds_soon({22, 80}));
  EXPECT_EQ(operations, 1U);
}

TEST_F(reconciler_test, a_peer_that_restarts_gets_everything_again) {
  start();
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  script_.held.clear();
  script_.restarted = true;
  script_.event.notify_all();
  EXPECT_TRUE(holds_soon({80}));
}

TEST_F(reconciler_test, a_peer_that_is_down_is_asked_until_it_is_there) {
  script_.down = true;
  start();
  want({on(80)});
  ASSERT_TRUE(soon([&] { return script_.lists >= 3; }));
  script_.down = false;
  EXPECT_TRUE(holds_soon({80}));
}

TEST_F(reconciler_test, a_busy_port_delays_no_other_and_is_exposed_when_it_is_free) {
  script_.busy = {80};
  start();
  want({on(80), on(81)});
  ASSERT_TRUE(holds_soon({81}));
  script_.busy.clear();
  EXPECT_TRUE(holds_soon({80, 81}));
}

TEST_F(reconciler_test, drain_takes_everything_back_and_closes_the_sink) {
  script_.held.insert(on(22).key);
  start();
  want({on(80), on(81)});
  ASSERT_TRUE(holds_soon({22, 80, 81}));
  tasks_->spawn("drain", reconciler_->drain(async::clock::now() + seconds(5)));
  EXPECT_TRUE(soon([&] { return script_.closed; }));
  EXPECT_TRUE(holds_soon({22}));
}

TEST_F(reconciler_test, drain_takes_back_what_is_just_being_added) {
  start();
  want({});
  ASSERT_TRUE(soon([&] { return script_.lists > 0 && reconciler_->machine().settled(); }));
  script_.hangs = true;
  want({on(80)});
  ASSERT_TRUE(soon([&] { return !reconciler_->machine().settled() && reconciler_->machine().holds_ours(); }));
  tasks_->spawn("drain", reconciler_->drain(async::clock::now() + seconds(60)));
  EXPECT_FALSE(script_.closed) << "the addition may yet be done";
  script_.hangs = false;
  script_.event.notify_all();
  ASSERT_TRUE(soon([&] { return script_.closed; }));
  EXPECT_TRUE(script_.held.empty());
}

TEST_F(reconciler_test, drain_gives_up_at_its_deadline_and_the_journal_keeps_what_is_left) {
  start();
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  script_.hangs = true;
  tasks_->spawn("drain", reconciler_->drain(async::clock::now() + milliseconds(100)));
  EXPECT_TRUE(soon([&] { return script_.closed; }));
  crash();
  const auto book = journal::open(directory_.path(), "scripted", "boot");
  ASSERT_TRUE(book);
  EXPECT_THAT(book->remembered(), ElementsAre(on(80)));
}

TEST_F(reconciler_test, drain_does_not_wait_for_a_peer_that_is_down) {
  start();
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  script_.down = true;
  script_.restarted = true;
  script_.event.notify_all();
  ASSERT_TRUE(soon([&] { return reconciler_->machine().listing().failures() > 0; }));
  const auto before = async::clock::now();
  tasks_->spawn("drain", reconciler_->drain(before + seconds(60)));
  EXPECT_TRUE(soon([&] { return script_.closed; }));
  EXPECT_LT(async::clock::now(), before + seconds(5));
}

}  // namespace
}  // namespace ports
