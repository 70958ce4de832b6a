#include "ports/peer_counters.hpp"

#include <gmock/gmock.h>

#include <numeric>

#include "ports/reconcile_fsm.hpp"

namespace ports {
namespace {

using namespace std::chrono_literals;
using testing::DoubleEq;

TEST(duration_histogram, a_value_counts_in_the_first_bucket_that_holds_it) {
  duration_histogram h;
  for (const auto d : {0ms, 1ms, 2ms, 60'000ms, 60'001ms}) h.observe(d);
  EXPECT_EQ(h.counts.front(), 2U) << "a bound belongs to its bucket";
  EXPECT_EQ(h.counts.at(1), 1U);
  EXPECT_EQ(h.counts.at(h.bounds.size() - 1), 1U);
  EXPECT_EQ(h.counts.back(), 1U);
  EXPECT_THAT(h.sum, DoubleEq(120.004));
}

class peer_counters_test : public testing::Test {
 protected:
  const forward web{{net::protocol::tcp, net::address::any_v4(), 80}, 0, source_id::docker, {}};

  void want(const forward& f) { fsm.want({{f.key, f}}, all_sources, 1, now); }
  void list(std::vector<held_forward> held = {}) {
    ASSERT_TRUE(fsm.should_list(now));
    static_cast<void>(fsm.listed(peer_state{"", true, std::move(held)}, now));
  }
  // The peer holds nothing, and nothing is wanted yet.
  void begin() {
    fsm.want({}, all_sources, 1, now);
    list();
  }
  void answer(outcome_kind kind, verb what = verb::add) {
    const auto taken = fsm.take(1, now);
    ASSERT_EQ(taken.size(), 1U);
    ASSERT_EQ(taken.front().what, what);
    fsm.finished(taken.front(), {kind, ""}, now);
  }
  [[nodiscard]] std::uint64_t exposures() const {
    const auto& counts = fsm.counters().exposures.counts;
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  }

  time_point now{1000s};
  reconcile_fsm fsm{sink_traits{1, 100, true, false}, reconcile_options{}};
};

TEST_F(peer_counters_test, an_exposure_takes_from_the_publication_to_the_answer_that_it_is_done) {
  begin();
  want(web);
  now += 2s;
  answer(outcome_kind::conflict);
  EXPECT_EQ(exposures(), 0U);
  now += 2s;
  answer(outcome_kind::done);
  EXPECT_EQ(exposures(), 1U);
  EXPECT_THAT(fsm.counters().exposures.sum, DoubleEq(4));
  EXPECT_EQ(fsm.counters().count(verb::add, outcome_kind::conflict), 1U);
  EXPECT_EQ(fsm.counters().count(verb::add, outcome_kind::done), 1U);
  EXPECT_EQ(fsm.counters().retries, 1U);
}

TEST_F(peer_counters_test, a_port_that_waits_for_its_service_in_the_vm_is_measured_from_its_publication) {
  begin();
  auto later = web;
  later.not_before = now + 1s;
  want(later);
  now += 1s;
  want(web);
  answer(outcome_kind::done);
  EXPECT_THAT(fsm.counters().exposures.sum, DoubleEq(1));
}

TEST_F(peer_counters_test, what_a_peer_gets_again_after_its_restart_is_not_measured) {
  begin();
  want(web);
  answer(outcome_kind::done);
  now += 1h;
  fsm.peer_changed(now);
  list();
  answer(outcome_kind::done);
  EXPECT_EQ(exposures(), 1U);
  EXPECT_EQ(fsm.counters().count(verb::add, outcome_kind::done), 2U);
}

TEST_F(peer_counters_test, what_the_peer_held_already_is_not_measured_later) {
  fsm.remember({web}, true, now);
  want(web);
  list({{web.key}});
  now += 1h;
  fsm.peer_changed(now);
  list();
  answer(outcome_kind::done);
  EXPECT_EQ(exposures(), 0U);
}

TEST_F(peer_counters_test, a_removal_is_an_operation_and_no_exposure) {
  begin();
  want(web);
  answer(outcome_kind::done);
  fsm.want({}, all_sources, 1, now);
  answer(outcome_kind::unknown, verb::remove);
  EXPECT_EQ(fsm.counters().count(verb::remove, outcome_kind::unknown), 1U);
  EXPECT_EQ(exposures(), 1U);
}

}  // namespace
}  // namespace ports
