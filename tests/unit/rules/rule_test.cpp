#include "rules/rule.hpp"

#include <gmock/gmock.h>

namespace rules {
namespace {

using testing::Optional;

TEST(rule, maps_a_port_to_one_number) { EXPECT_THAT(map_port(std::uint16_t{8080}, {80, 80}, 80), Optional(8080)); }

TEST(rule, maps_a_range_one_to_one) {
  const host_port to = port_range{9000, 9099};
  EXPECT_THAT(map_port(to, {8000, 8099}, 8000), Optional(9000));
  EXPECT_THAT(map_port(to, {8000, 8099}, 8042), Optional(9042));
  EXPECT_THAT(map_port(to, {8000, 8099}, 8099), Optional(9099));
}

TEST(rule, an_offset_stays_in_the_range) {
  EXPECT_THAT(map_port(port_offset{1000}, {}, 80), Optional(1080));
  EXPECT_THAT(map_port(port_offset{-79}, {}, 80), Optional(1));
  EXPECT_EQ(map_port(port_offset{-80}, {}, 80), std::nullopt);
  EXPECT_THAT(map_port(port_offset{65455}, {}, 80), Optional(65535));
  EXPECT_EQ(map_port(port_offset{65456}, {}, 80), std::nullopt);
}

}  // namespace
}  // namespace rules
