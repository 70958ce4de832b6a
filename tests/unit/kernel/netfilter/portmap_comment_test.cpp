#include "kernel/netfilter/portmap_comment.hpp"

#include <gtest/gtest.h>

namespace netfilter {
namespace {

TEST(portmap_comment, names_the_container) {
  const auto read = read_portmap_comment(R"(dnat name: "bridge" id: "default-web")");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, "default-web");
  EXPECT_TRUE(read->complete);
}

TEST(portmap_comment, a_cut_comment_has_a_part_of_the_id) {
  const auto read = read_portmap_comment(R"(dnat name: "bridge" id: "default-w)");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, "default-w");
  EXPECT_FALSE(read->complete);
}

TEST(portmap_comment, a_network_whose_name_looks_like_an_id_names_no_container) {
  const auto read = read_portmap_comment(R"(dnat name: "a id: "b" id: "default-web")");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, "default-web");
}

TEST(portmap_comment, other_comments_name_no_container) {
  for (const auto* text : {"", "id:", "dnat name: \"bridge\"", "default-web"})
    EXPECT_FALSE(read_portmap_comment(text)) << text;
}

}  // namespace
}  // namespace netfilter
