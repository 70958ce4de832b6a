#include "ports/change_trace.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <string>
#include <vector>

namespace ports {
namespace {

using std::chrono::microseconds;
using testing::HasSubstr;
using testing::Not;

constexpr time_point start{std::chrono::hours(1)};
time_point at(int us) { return start + microseconds(us); }

binding on(std::uint16_t port, std::string owner = "c1") {
  return {net::protocol::tcp, net::address::any_v4(), port, 80, std::move(owner), {}};
}
operation add(std::uint16_t port, net::address address = net::address::any_v4()) {
  return {verb::add, {.key = {net::protocol::tcp, address, port}}};
}

// A change of port 80 by an event about c1, up to its plan.
void plan_one(change_trace& trace) {
  trace.event(source_id::docker, "c1", at(0), at(10));
  trace.asked(source_id::docker, "c1", at(30));
  trace.answered(source_id::docker, "c1", at(130));
  trace.published(source_id::docker, {}, {on(80)}, at(135));
  trace.planned(at(142));
}

TEST(change_trace_test, names_each_step_from_the_event_to_the_answer) {
  change_trace trace;
  plan_one(trace);
  trace.journaled("host-switch", add(80).target, at(160));
  const outcome done{.kind = outcome_kind::done, .reason = {}, .sent = at(190)};
  EXPECT_EQ(trace.finished("host-switch", add(80), done, at(290)),
            "expose tcp 0.0.0.0:80 peer=host-switch owner=c1 outcome=done parse_us=10.0 queue_us=20.0 engine_us=100.0 "
            "publish_us=5.0 plan_us=7.0 journal_us=18.0 send_us=30.0 answer_us=100.0 total_us=290.0");
}

TEST(change_trace_test, each_peer_has_its_own_line_and_one_only) {
  change_trace trace;
  plan_one(trace);
  EXPECT_TRUE(trace.finished("host-switch", add(80), {outcome_kind::conflict, "busy"}, at(200)));
  EXPECT_TRUE(trace.finished("host-switch", add(80), {}, at(200)));
  EXPECT_TRUE(trace.finished("wsl-proxy", add(80), {}, at(200)));
  EXPECT_FALSE(trace.finished("host-switch", add(80), {}, at(9'000'000))) << "it has restarted";
}

TEST(change_trace_test, a_port_that_has_another_number_on_the_host_is_the_same_change) {
  change_trace trace;
  plan_one(trace);
  auto moved = add(8080);
  moved.target.remapped_from = 80;
  trace.journaled("host-switch", moved.target, at(160));
  EXPECT_THAT(trace.finished("host-switch", moved, {}, at(200)).value(),
              testing::AllOf(HasSubstr(":8080 "), HasSubstr("owner=c1"), HasSubstr("journal_us=18.0")));
}

TEST(change_trace_test, a_port_that_is_held_at_another_address_is_the_same_change) {
  change_trace trace;
  plan_one(trace);
  EXPECT_THAT(trace.finished("host-switch", add(80, net::address::loopback_v4()), {}, at(200)).value(),
              HasSubstr("tcp 127.0.0.1:80"));
}

TEST(change_trace_test, an_end_is_not_asked_about) {
  change_trace trace;
  trace.event(source_id::docker, "c1", at(0), at(10));
  trace.published(source_id::docker, {on(80)}, {}, at(20));
  trace.planned(at(25));
  auto gone = add(80);
  gone.what = verb::remove;
  EXPECT_EQ(trace.finished("host-switch", gone, {}, at(50)),
            "unexpose tcp 0.0.0.0:80 peer=host-switch owner=c1 outcome=done parse_us=10.0 publish_us=10.0 plan_us=5.0 "
            "answer_us=25.0 total_us=50.0");
}

TEST(change_trace_test, what_no_event_has_caused_begins_with_the_snapshot) {
  change_trace trace;
  trace.published(source_id::kubernetes, {}, {on(80)}, at(20));
  trace.planned(at(25));
  EXPECT_THAT(trace.finished("host-switch", add(80), {}, at(50)).value(),
              HasSubstr("outcome=done plan_us=5.0 answer_us=25.0 total_us=30.0"));
}

TEST(change_trace_test, ports_that_stay_are_no_change) {
  change_trace trace;
  trace.published(source_id::docker, {on(80), on(81)}, {on(81), on(82)}, at(0));
  EXPECT_FALSE(trace.finished("host-switch", add(81), {}, at(10)));
  EXPECT_TRUE(trace.finished("host-switch", add(82), {}, at(10)));
}

TEST(change_trace_test, an_event_counts_for_one_snapshot) {
  change_trace trace;
  plan_one(trace);
  trace.published(source_id::docker, {on(80)}, {on(80), on(81)}, at(500));
  EXPECT_THAT(trace.finished("host-switch", add(81), {}, at(600)).value(), Not(HasSubstr("engine_us")));
}

TEST(change_trace_test, a_question_under_way_outlives_the_snapshot_of_another_container) {
  change_trace trace;
  trace.event(source_id::docker, "c2", at(0), at(1));
  trace.asked(source_id::docker, "c2", at(2));
  trace.published(source_id::docker, {}, {on(80)}, at(10));
  trace.answered(source_id::docker, "c2", at(52));
  trace.published(source_id::docker, {on(80)}, {on(80), on(81, "c2")}, at(60));
  EXPECT_THAT(trace.finished("host-switch", add(81), {}, at(70)).value(), HasSubstr("engine_us=50.0"));
}

TEST(change_trace_test, too_many_changes_are_forgotten_and_later_ones_are_not) {
  change_trace trace;
  for (std::size_t i = 0; i <= change_trace::max_events; ++i)
    trace.event(source_id::docker, std::to_string(i), at(0), at(1));
  std::vector<binding> many;
  for (const auto protocol : {net::protocol::tcp, net::protocol::udp, net::protocol::sctp})
    for (int port = 1; port < 65'536; ++port) {
      many.push_back(on(static_cast<std::uint16_t>(port)));
      many.back().protocol = protocol;
    }
  trace.published(source_id::docker, {}, many, at(2));
  trace.planned(at(3));
  EXPECT_FALSE(trace.finished("host-switch", add(80), {}, at(4)));
  plan_one(trace);
  EXPECT_TRUE(trace.finished("host-switch", add(80), {}, at(200)));
}

TEST(change_trace_test, what_a_container_is_called_cannot_break_the_line) {
  change_trace trace;
  trace.published(source_id::docker, {}, {on(80, "a\nb " + std::string(1'000, 'x'))}, at(0));
  const auto line = trace.finished("host-switch", add(80), {}, at(1)).value();
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  EXPECT_LT(line.size(), 300);
}

}  // namespace
}  // namespace ports
