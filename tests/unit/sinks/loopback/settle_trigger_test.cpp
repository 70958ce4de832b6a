#include "sinks/loopback/settle_trigger.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <string>

#include "async/timeout.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"

namespace loopback {
namespace {

using namespace std::chrono_literals;

class settle_trigger_test : public testing::Test {
 protected:
  void start(std::chrono::milliseconds resync) {
    machine_ = read_machine(rules_).value();
    trigger_.emplace(context_.get_executor(), settle_trigger::watched{tables_, localnet_, rejected_, rules_, machine_},
                     resync);
  }
  bool is_due(std::chrono::milliseconds limit) {
    return support::run_task(context_, async::within(limit, trigger_->due())).has_value();
  }
  // A rejection that ends in so much time.
  void reject_for(std::chrono::milliseconds left) {
    const rule_plan plan{.change = {.lines = {"-A TAG -j X"}}, .owners = {{}}};
    const auto then = async::clock::now() - rejected_rules::lasts + left;
    for (int i = 0; i < 2; ++i) rejected_.note_failure(plan, {{}, "line 2 failed"}, then);
  }

  support::temp_dir directory_;
  boost::asio::io_context context_;
  rule_options rules_;
  netfilter::nat_tables tables_{context_.get_executor(), {}, rules_.scope(), {}, "test"};
  netfilter::localnet_access localnet_{netfilter::route_localnet(directory_ / "state"), "TAG", {}, "test"};
  rejected_rules rejected_;
  machine_state machine_;
  std::optional<settle_trigger> trigger_;
};

TEST_F(settle_trigger_test, says_at_its_start_if_the_kernel_announces_no_rules) {
  const std::string words = "the kernel announces no rule changes, polling interval_s=600";
  const auto said = [&](netfilter::nat_tables& tables) {
    testing::internal::CaptureStderr();
    const settle_trigger one(context_.get_executor(), {tables, localnet_, rejected_, rules_, machine_}, 10min);
    return testing::internal::GetCapturedStderr().contains(words);
  };
  EXPECT_EQ(said(tables_), !tables_.announces_rules());
  const auto body = [&] {
    netfilter::nat_tables deaf{context_.get_executor(), {}, rules_.scope(), {}, "test"};
    EXPECT_FALSE(deaf.announces_rules());
    EXPECT_TRUE(said(deaf));
  };
  if (!support::run_without({__NR_setsockopt, 2, SO_ATTACH_FILTER, EPERM}, body))
    GTEST_SKIP() << "the kernel takes no filter";
}

TEST_F(settle_trigger_test, while_nothing_changes_it_is_due_after_ten_intervals) {
  start(10min);
  EXPECT_FALSE(is_due(100ms));
  start(1ms);
  EXPECT_TRUE(is_due(10s));
}

TEST_F(settle_trigger_test, an_interval_finds_a_change_that_was_not_announced) {
  start(10min);
  machine_.peers.push_back({"gone0", rules_.tap, net::cidr(rules_.tap, 24)});
  EXPECT_FALSE(is_due(100ms)) << "the interval has not ended";
  start(20ms);
  machine_.peers.push_back({"gone0", rules_.tap, net::cidr(rules_.tap, 24)});
  EXPECT_TRUE(is_due(10s));
}

TEST_F(settle_trigger_test, the_end_of_a_rejection_is_a_reason) {
  start(10min);
  reject_for(50ms);
  EXPECT_TRUE(is_due(10s));
  EXPECT_FALSE(is_due(100ms)) << "it has ended";
}

TEST_F(settle_trigger_test, changes_in_quick_succession_make_it_due_twice_a_second) {
  start(1ms);
  machine_.peers.push_back({"gone0", rules_.tap, net::cidr(rules_.tap, 24)});
  ASSERT_TRUE(is_due(10s));
  const auto before = async::clock::now();
  ASSERT_TRUE(is_due(10s));
  EXPECT_GE(async::clock::now() - before, 400ms);
}

}  // namespace
}  // namespace loopback
