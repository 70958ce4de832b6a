#include "ports/owner_traits.hpp"

#include <gtest/gtest.h>

namespace ports {
namespace {

std::string text(const owner_traits& t) {
  std::string joined = std::string(t.space) + "|" + std::string(t.image);
  for (const auto& [key, value] : t.labels) joined += "|" + std::string(key) + "->" + std::string(value);
  return joined;
}

TEST(owner_traits, round_trip) {
  const owner_traits some{"k8s.io", "nginx:1.27", {{"app", "web"}, {"empty", ""}, {"url", "a=b=c"}}};
  const auto encoded = encode_traits(some);
  EXPECT_TRUE(encoded.complete);
  EXPECT_EQ(text(decode_traits(encoded.text)), "k8s.io|nginx:1.27|app->web|empty->|url->a=b=c");
}

TEST(owner_traits, nothing_known_costs_nothing) {
  EXPECT_TRUE(encode_traits({}).text.empty());
  EXPECT_EQ(text(decode_traits({})), "|");
}

TEST(owner_traits, the_order_of_labels_does_not_count) {
  const auto one = encode_traits({.labels = {{"a", "1"}, {"b", "2"}}});
  EXPECT_EQ(one.text, encode_traits({.labels = {{"b", "2"}, {"a", "1"}}}).text);
}

TEST(owner_traits, what_does_not_fit_is_left_out_and_said) {
  const std::string_view zero("x\0y", 3);
  const std::string large(max_traits_bytes, 'x');
  const auto encoded = encode_traits({"ns", large, {{"a", zero}, {"b", "kept"}, {"c", large}}});
  EXPECT_FALSE(encoded.complete);
  EXPECT_EQ(text(decode_traits(encoded.text)), "ns||b->kept");
}

TEST(owner_traits, any_text_can_be_decoded) {
  EXPECT_EQ(decode_traits(std::string("alone")).space, "alone");
  EXPECT_TRUE(decode_traits(std::string("a\0b\0no-label", 12)).labels.empty());
}

}  // namespace
}  // namespace ports
