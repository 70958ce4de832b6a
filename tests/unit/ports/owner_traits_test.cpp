#include "ports/owner_traits.hpp"

#include <gtest/gtest.h>

namespace ports {
namespace {

std::string text(const owner_traits& t) {
  std::string joined = std::string(t.complete ? "" : "incomplete ") + std::string(t.name) + "|" + std::string(t.space) +
                       "|" + std::string(t.image);
  for (const auto& [key, value] : t.labels) joined += "|" + std::string(key) + "->" + std::string(value);
  return joined;
}

TEST(owner_traits, round_trip) {
  const owner_traits some{"web", "k8s.io", "nginx:1.27", {{"app", "web"}, {"empty", ""}, {"url", "a=b=c"}}};
  const auto encoded = encode_traits(some);
  EXPECT_TRUE(encoded.complete);
  EXPECT_EQ(text(decode_traits(encoded.text)), "web|k8s.io|nginx:1.27|app->web|empty->|url->a=b=c");
}

TEST(owner_traits, nothing_known_costs_nothing) {
  EXPECT_TRUE(encode_traits({}).text.empty());
  EXPECT_EQ(text(decode_traits({})), "||");
}

TEST(owner_traits, the_order_of_labels_does_not_count) {
  const auto one = encode_traits({.labels = {{"a", "1"}, {"b", "2"}}});
  EXPECT_EQ(one.text, encode_traits({.labels = {{"b", "2"}, {"a", "1"}}}).text);
}

TEST(owner_traits, what_does_not_fit_is_left_out_and_said) {
  const std::string_view zero("x\0y", 3);
  const std::string large(max_traits_bytes, 'x');
  const auto encoded = encode_traits({"web", "ns", large, {{"a", zero}, {"b", "kept"}, {"c", large}}});
  EXPECT_FALSE(encoded.complete);
  EXPECT_EQ(text(decode_traits(encoded.text)), "incomplete web|ns||b->kept");
}

TEST(owner_traits, labels_for_ports_are_left_out_last) {
  const std::string half(max_traits_bytes / 2, 'x');
  const auto encoded =
      encode_traits({.labels = {{"a", half}, {"b", half}, {"guestagent.ports.80/tcp", "ignore: true"}}});
  const auto kept = decode_traits(encoded.text);
  EXPECT_FALSE(kept.complete);
  ASSERT_EQ(kept.labels.size(), 2U);
  EXPECT_EQ(kept.labels[0].key, "guestagent.ports.80/tcp");
  EXPECT_EQ(kept.labels[1].key, "a");
}

TEST(owner_traits, what_is_missing_already_stays_said) {
  const auto encoded = encode_traits({.complete = false});
  EXPECT_FALSE(encoded.complete);
  EXPECT_FALSE(decode_traits(encoded.text).complete);
}

TEST(owner_traits, a_key_that_no_rule_can_name_is_not_missed) {
  const auto encoded = encode_traits({.name = "web", .labels = {{"", "x"}, {"a=b", "x"}}});
  EXPECT_EQ(text(decode_traits(encoded.text)), "web||");
}

TEST(owner_traits, any_text_can_be_decoded) {
  EXPECT_EQ(text(decode_traits(std::string("alone"))), "incomplete ||");
  EXPECT_TRUE(decode_traits(std::string("\0a\0b\0c\0no-label", 15)).labels.empty());
}

}  // namespace
}  // namespace ports
