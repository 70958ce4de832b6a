#include "netstack/stack/links.hpp"

#include <gtest/gtest.h>

namespace netstack {
namespace {

constexpr link_properties offload_link{.checksum_offload = true, .most_segment_data = 65'480};

TEST(links, an_unknown_link_is_a_plain_one) {
  links all;
  EXPECT_FALSE(all.find(0).checksum_offload);
  EXPECT_EQ(all.find(every_link).most_segment_data, 0U);
  all.add(1, offload_link);
  EXPECT_FALSE(all.find(2).checksum_offload);
  EXPECT_TRUE(all.find(1).checksum_offload);
}

// A connection begins before the VM has said where it is: a single link is where it will be.
TEST(links, every_link_means_the_only_one) {
  links all;
  all.add(1, offload_link);
  EXPECT_EQ(all.find(every_link).most_segment_data, 65'480U);
  all.add(2, {});
  EXPECT_EQ(all.find(every_link).most_segment_data, 0U);
  all.remove(2);
  EXPECT_EQ(all.find(every_link).most_segment_data, 65'480U);
}

TEST(links, a_link_that_comes_again_has_its_last_properties) {
  links all;
  all.add(1, offload_link);
  all.add(1, {});
  EXPECT_FALSE(all.find(1).checksum_offload) << "an older peer on the same number";
  all.remove(1);
  all.remove(1);
  EXPECT_FALSE(all.find(1).checksum_offload);
}

}  // namespace
}  // namespace netstack
