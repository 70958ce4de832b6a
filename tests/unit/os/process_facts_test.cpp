#include "os/process_facts.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace os {
namespace {

TEST(process_facts, a_name_may_contain_anything) {
  const std::string rest = " S 17 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 98765 1 2 3\n";
  EXPECT_EQ(parse_process_stat("42 (dockerd)" + rest), (process_facts{"dockerd", 17, 98765}));
  EXPECT_EQ(parse_process_stat("42 (a) R 1 (b)" + rest), (process_facts{"a) R 1 (b", 17, 98765}));
  for (const auto* text :
       {"", "42", "42 (x", "42 )x( S 1", "42 (x) S 17 1 1", "42 (x) S y 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0 1 0 9"})
    EXPECT_FALSE(parse_process_stat(text)) << text;
}

TEST(process_facts, of_this_process_and_of_none) {
  const auto own = read_process_facts(::getpid());
  ASSERT_TRUE(own && *own);
  EXPECT_EQ((*own)->parent, ::getppid());
  EXPECT_LT(age_of((*own)->start), std::chrono::minutes(10));
  const auto none = read_process_facts(0x3fffffff);
  ASSERT_TRUE(none) << none.error().message();
  EXPECT_EQ(*none, std::nullopt);
}

}  // namespace
}  // namespace os
