#include "sinks/loopback/rejected_rules.hpp"

#include <gmock/gmock.h>

#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const base::error line_3{{}, "iptables-nft-restore exited with 1: line 3 failed"};

class rejected_rules_test : public testing::Test {
 protected:
  rejected_rules_test() {
    plan_.change.lines = {":TAG -", "-A TAG -p tcp", "-A PREROUTING -j TAG"};
    plan_.owners = {{}, key("127.0.0.1", 80), {}};
  }
  rule_plan plan_;
  rejected_rules rejected_;
  rejected_rules::time_point now_{};
};

TEST_F(rejected_rules_test, one_failure_may_have_been_a_change_meanwhile) {
  EXPECT_FALSE(rejected_.note_failure(plan_, line_3, now_));
  EXPECT_THAT(rejected_.ports(now_), IsEmpty());
  rejected_.note_success();
  EXPECT_FALSE(rejected_.note_failure(plan_, line_3, now_));
}

TEST_F(rejected_rules_test, two_failures_exclude_the_port_for_a_minute_and_not_for_good) {
  rejected_.note_failure(plan_, line_3, now_);
  EXPECT_TRUE(rejected_.note_failure(plan_, line_3, now_));
  EXPECT_THAT(rejected_.ports(now_ + 59s), ElementsAre(key("127.0.0.1", 80)));
  EXPECT_EQ(rejected_.next_end(now_), now_ + 60s);
  EXPECT_THAT(rejected_.ports(now_ + 60s), IsEmpty());
  EXPECT_EQ(rejected_.next_end(now_ + 60s), std::nullopt);
}

TEST_F(rejected_rules_test, a_jump_that_is_rejected_excludes_all_ports) {
  const base::error line_4{{}, "line 4 failed"};
  rejected_.note_failure(plan_, line_4, now_);
  EXPECT_TRUE(rejected_.note_failure(plan_, line_4, now_));
  EXPECT_TRUE(rejected_.all(now_ + 59s));
  EXPECT_FALSE(rejected_.all(now_ + 60s));
}

TEST_F(rejected_rules_test, a_lock_or_a_timeout_says_nothing_of_a_line) {
  for (int i = 0; i < 3; ++i)
    for (const auto* text : {"exited with 4: Another app is currently holding the xtables lock", "deadline",
                             "line 1 failed", "line 9 failed"})
      EXPECT_FALSE(rejected_.note_failure(plan_, base::error{{}, text}, now_)) << text;
}

}  // namespace
}  // namespace loopback
