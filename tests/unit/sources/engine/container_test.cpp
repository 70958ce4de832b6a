#include "sources/engine/container.hpp"

#include <gmock/gmock.h>

namespace engine {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(container, a_refusal_names_the_container_as_people_do) {
  container named{"default/4f5e", "web", {}, {}};
  named.refuse("9/sctp", "the protocol is not supported");
  ASSERT_EQ(named.refusals.size(), 1U);
  EXPECT_EQ(named.refusals[0].owner, "web");
  EXPECT_EQ(named.refusals[0].what, "9/sctp");
  EXPECT_EQ(named.refusals[0].why, "the protocol is not supported");
  container nameless{"4f5e", "", {}, {}};
  nameless.refuse("9/sctp", "the protocol is not supported");
  EXPECT_EQ(nameless.refusals.at(0).owner, "4f5e");
}

// A label of a megabyte may hold a hundred thousand ports.
TEST(container, the_first_sixteen_refusals_are_kept) {
  container one{"a", "", {}, {}};
  for (int i = 1; i <= 1'000; ++i) one.refuse("port " + std::to_string(i), "out of range");
  ASSERT_EQ(one.refusals.size(), 16U);
  EXPECT_EQ(one.refusals.front().what, "port 1");
  EXPECT_EQ(one.refusals.back().what, "port 16");
}

// Both come from a label that anyone who can create containers sets.
TEST(container, a_refusal_stays_one_line_of_limited_length) {
  container one{"a", "", {}, {}};
  one.refuse("80/tcp\nlevel=info forged\x1b[2J", std::string(1 << 20, 'x') + "\n");
  const auto& kept = one.refusals.at(0);
  for (const auto& text : {kept.what, kept.why}) {
    EXPECT_THAT(text, Not(HasSubstr("\n")));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  }
  EXPECT_THAT(kept.what, HasSubstr("forged"));
  EXPECT_LT(kept.why.size(), 1'000U);
}

}  // namespace
}  // namespace engine
