#include "ports/serving_gate.hpp"

#include <gmock/gmock.h>

namespace ports {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class serving_gate_test : public testing::Test {
 protected:
  // Docker's ports 80 on this address and 81 on every one, as the policy plans them for the loopback sink.
  exposure_plan plan(const char* address, const char* owner = "c1") {
    port_table table;
    const auto make = [&](const char* at, std::uint16_t port) {
      return binding{net::protocol::tcp, net::address::parse(at).value(), port, 80, owner, owner};
    };
    table.publish(source_id::docker, {{make(address, 80), make("0.0.0.0", 81)}, {}, 1});
    auto made = plan_exposure(table, {});
    loopback.want(part_of(made, peer_role::loopback), all_sources, 1, now);
    return made;
  }
  static time_point held_until(const exposure_plan& p, std::uint16_t port) {
    for (const auto& [key, f] : part_of(p, peer_role::host))
      if (key.port == port) return f.not_before;
    ADD_FAILURE() << "no such port";
    return {};
  }
  void answer(outcome_kind kind) {
    if (loopback.should_list(now)) EXPECT_TRUE(loopback.listed(peer_state{}, now).empty());
    for (const auto& op : loopback.take(10, now)) loopback.finished(op, {kind, "reason"}, now);
  }

  time_point now{seconds(1000)};
  reconcile_fsm loopback{sink_traits{1, 10, false, false}, {}};
  serving_gate gate;
};

TEST_F(serving_gate_test, a_port_that_needs_a_loopback_rule_waits_for_it_and_no_other_does) {
  auto p = plan("127.0.0.1");
  EXPECT_FALSE(gate.hold_back(p, loopback, now));
  EXPECT_TRUE(gate.waits());
  EXPECT_EQ(held_until(p, 80), now + milliseconds(100));
  const auto wsl = part_of(p, peer_role::wsl);
  EXPECT_EQ(wsl.begin()->second.not_before, time_point{}) << "0.0.0.0:81";
  EXPECT_EQ(wsl.rbegin()->second.not_before, now + milliseconds(100));
  EXPECT_EQ(held_until(p, 81), time_point{});
  now += milliseconds(7);
  answer(outcome_kind::done);
  EXPECT_TRUE(gate.hold_back(p, loopback, now));
  EXPECT_EQ(held_until(p, 80), time_point{});
  EXPECT_FALSE(gate.waits());
  EXPECT_FALSE(gate.hold_back(p, loopback, now)) << "nothing new";
}

TEST_F(serving_gate_test, a_bad_answer_is_an_answer) {
  for (const auto kind : {outcome_kind::refused, outcome_kind::conflict, outcome_kind::unknown}) {
    gate = serving_gate();
    loopback = reconcile_fsm(sink_traits{1, 10, false, false}, {});
    auto p = plan("127.0.0.1");
    gate.hold_back(p, loopback, now);
    answer(kind);
    EXPECT_TRUE(gate.hold_back(p, loopback, now));
    EXPECT_EQ(held_until(p, 80), time_point{});
  }
}

TEST_F(serving_gate_test, the_patience_does_not_begin_anew_with_each_plan) {
  const auto until = now + milliseconds(100);
  for (int i = 0; i < 20; ++i) {
    auto p = plan("127.0.0.1");
    gate.hold_back(p, loopback, now);
    EXPECT_EQ(held_until(p, 80), until);
    now += milliseconds(10);
  }
}

TEST_F(serving_gate_test, another_containers_port_waits_for_its_own_rule) {
  auto p = plan("127.0.0.1", "c1");
  gate.hold_back(p, loopback, now);
  answer(outcome_kind::done);
  auto next = plan("127.0.0.1", "c2");
  gate.hold_back(next, loopback, now);
  EXPECT_EQ(held_until(next, 80), now + milliseconds(100));
  answer(outcome_kind::done);  // the old rule goes
  gate.hold_back(next, loopback, now);
  EXPECT_EQ(held_until(next, 80), now + milliseconds(100));
  answer(outcome_kind::done);
  gate.hold_back(next, loopback, now);
  EXPECT_EQ(held_until(next, 80), time_point{});
}

TEST_F(serving_gate_test, what_is_no_longer_planned_is_forgotten) {
  auto p = plan("127.0.0.1");
  gate.hold_back(p, loopback, now);
  auto without = plan("0.0.0.0");
  gate.hold_back(without, loopback, now);
  EXPECT_FALSE(gate.waits());
}

}  // namespace
}  // namespace ports
