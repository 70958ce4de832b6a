#include "ports/retry_state.hpp"

#include <gtest/gtest.h>

namespace ports {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class retry_state_test : public testing::Test {
 protected:
  // The delay that the failure brings.
  milliseconds fail(outcome_kind kind) {
    retry.fail({kind, "why"}, paces, now, 0);
    return std::chrono::duration_cast<milliseconds>(retry.not_before - now);
  }

  retry_paces paces{.key = {milliseconds(100), milliseconds(400), 0.0},
                    .refused = {seconds(5), seconds(60), 0.0},
                    .in_the_way = {seconds(1), seconds(15), 0.0}};
  time_point now{seconds(1000)};
  retry_state retry;
};

TEST_F(retry_state_test, the_delay_grows_up_to_its_cap) {
  EXPECT_EQ(fail(outcome_kind::conflict), milliseconds(100));
  EXPECT_EQ(fail(outcome_kind::conflict), milliseconds(200));
  EXPECT_EQ(fail(outcome_kind::conflict), milliseconds(400));
  EXPECT_EQ(fail(outcome_kind::conflict), milliseconds(400));
  EXPECT_EQ(retry.failures, 4U);
}

TEST_F(retry_state_test, what_the_peer_rejects_is_tried_slowly) {
  EXPECT_EQ(fail(outcome_kind::refused), seconds(5));
  EXPECT_EQ(fail(outcome_kind::refused), seconds(10));
}

TEST_F(retry_state_test, another_programs_forward_slows_the_key_down) {
  retry.in_the_way = true;
  EXPECT_EQ(fail(outcome_kind::conflict), seconds(1));
  EXPECT_EQ(fail(outcome_kind::refused), seconds(10)) << "rejected all the same";
}

TEST_F(retry_state_test, a_lost_connection_costs_no_delay_the_first_time) {
  for (const auto kind : {outcome_kind::unknown, outcome_kind::unsent}) {
    retry = {};
    EXPECT_EQ(fail(kind), milliseconds(0));
    EXPECT_EQ(fail(kind), milliseconds(100));
  }
}

TEST_F(retry_state_test, the_last_failure_is_kept_until_it_is_forgiven) {
  fail(outcome_kind::conflict);
  retry.fail({outcome_kind::refused, "later"}, paces, now, 0);
  ASSERT_TRUE(retry.trouble);
  EXPECT_EQ(retry.trouble->reason, "later");
  const auto due = retry.not_before;
  retry.forgive();
  EXPECT_FALSE(retry.trouble);
  EXPECT_EQ(retry.failures, 0U);
  EXPECT_EQ(retry.not_before, due);
}

TEST_F(retry_state_test, only_a_key_that_has_failed_waits) {
  EXPECT_EQ(retry.next_attempt(now), now);
  fail(outcome_kind::conflict);
  EXPECT_EQ(retry.next_attempt(now), now + milliseconds(100));
  EXPECT_EQ(retry.next_attempt(now + seconds(1)), now + seconds(1));
  retry.forgive();
  EXPECT_EQ(retry.next_attempt(now), now);
}

}  // namespace
}  // namespace ports
