#include "tests/soak/tally.hpp"

#include <gmock/gmock.h>

namespace soak {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(soak_tally, a_finding_has_the_seed_the_time_and_the_last_operations) {
  tally t(42);
  for (unsigned i = 0; i < 50; ++i) t.note({.what = kind::run_container, .slot = i, .shape = 2}, 1s);
  t.note({.what = kind::kill, .of = part::agent}, 61s);
  const auto text = t.note_findings({{"rules", "2 rules for tcp 8080"}}, 65s);
  EXPECT_THAT(text, AllOf(HasSubstr("1:05"), HasSubstr("seed 42"), HasSubstr("rules: 2 rules for tcp 8080"),
                          HasSubstr("1:01  kill -9 agent"), HasSubstr("docker run docker-49 shape=2"),
                          Not(HasSubstr("docker run docker-5 "))));
  EXPECT_EQ(t.findings(), 1U);
}

TEST(soak_tally, the_summary_counts_by_kind) {
  tally t(1);
  t.note({.what = kind::run_container}, 1s);
  t.note({.what = kind::run_container}, 1s, "no such container");
  t.note({.what = kind::kill, .of = part::agent}, 2s);
  t.note({.what = kind::start, .of = part::agent}, 2s);
  t.note({.what = kind::stall, .of = part::host_switch}, 2s);
  t.note_invariant("rules");
  t.note_memory("agent", std::size_t{5} << 20U);
  t.note_memory("agent", std::size_t{3} << 20U);
  t.note_settled(1500ms, 50s, {{"rules", "2 rules for tcp 8080"}});
  t.note_settled(200ms, 55s, {});
  EXPECT_THAT(t.summary(62s),
              AllOf(HasSubstr("1:02 with seed 1"), HasSubstr("2 operations: 2 docker run"),
                    HasSubstr("not done: 1 no such container"), HasSubstr("2 faults: 1 kill -9, 1 stall"),
                    HasSubstr("killed: 1 agent"), HasSubstr("stalled: 1 host-switch"), HasSubstr("1 checks: 1 rules"),
                    HasSubstr("agent 5.0 MiB"), HasSubstr("at the latest 1.5 s, at 0:50; the last: rules: 2 rules"),
                    HasSubstr("0 findings")));
  EXPECT_THAT(t.progress(62s, 600s), HasSubstr("1:02 of 10:00: 2 operations, 2 faults, 1 checks, 0 findings"));
}

}  // namespace
}  // namespace soak
