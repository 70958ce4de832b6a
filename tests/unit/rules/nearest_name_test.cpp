#include "rules/nearest_name.hpp"

#include <gmock/gmock.h>

#include <array>

namespace rules {
namespace {

constexpr std::array<std::string_view, 5> known{"port", "protocol", "host-port", "host-address", "ignore"};

TEST(nearest_name, finds_what_was_meant) {
  EXPECT_EQ(nearest_name("prot", known), "port");
  EXPECT_EQ(nearest_name("ports", known), "port");
  EXPECT_EQ(nearest_name("protocl", known), "protocol");
  EXPECT_EQ(nearest_name("hostPort", known), "host-port");
  EXPECT_EQ(nearest_name("host_address", known), "host-address");
  EXPECT_EQ(nearest_name("Ignored", known), "ignore");
}

TEST(nearest_name, is_empty_for_another_word) {
  EXPECT_EQ(nearest_name("colour", known), "");
  EXPECT_EQ(nearest_name("", known), "");
  EXPECT_EQ(nearest_name("port", {}), "");
  EXPECT_EQ(nearest_name(std::string(1 << 20, 'p'), known), "");
}

}  // namespace
}  // namespace rules
