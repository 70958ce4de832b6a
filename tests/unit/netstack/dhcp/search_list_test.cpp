#include "netstack/dhcp/search_list.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/packets.hpp"

namespace netstack::dhcp {
namespace {

bytes encoded(const std::vector<std::string>& names, std::size_t room = 10'000) {
  return to_bytes(search_list(names).within(room));
}

// As a client reads it.
std::vector<std::string> decoded(const bytes& content) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin < content.size();) {
    std::string name;
    std::size_t at = begin, end = 0;
    while (content.at(at) != 0) {
      if (content[at] >= 0xc0) {
        if (end == 0) end = at + 2;
        at = (content[at] & 0x3fU) << 8U | content.at(at + 1);
        continue;
      }
      name.append(reinterpret_cast<const char*>(&content[at + 1]), content[at]);
      name += '.';
      at += 1U + content[at];
    }
    begin = end == 0 ? at + 1 : end;
    names.push_back(name);
  }
  return names;
}

TEST(search_list, names_with_the_pointers_of_rfc_3397) {
  const auto content = encoded({"eng.apple.com.", "marketing.apple.com."});
  using namespace std::string_view_literals;
  EXPECT_EQ(content, text("\3eng\5apple\3com\0\11marketing\xc0\x04"sv));
}

TEST(search_list, many_names_come_back) {
  const std::vector<std::string> names{"example.org.", "a.example.org.", "b.a.example.org.", "org.", "example.org."};
  EXPECT_EQ(decoded(encoded(names)), names);
}

TEST(search_list, invalid_names_are_left_out) {
  EXPECT_EQ(decoded(encoded({"", ".", "a..b", "sp ace", std::string(64, 'a'), std::string(63, 'b'),
                             std::string("nul\0", 4), ".lead", "good.example"})),
            (std::vector<std::string>{std::string(63, 'b') + ".", "good.example."}));
  std::string longest;
  for (int i = 0; i < 126; ++i) longest += "a.";
  EXPECT_EQ(encoded({longest + "b"}).size(), 255U);
  EXPECT_TRUE(encoded({longest + "bb"}).empty());
}

TEST(search_list, what_does_not_fit_is_left_out_whole) {
  const std::vector<std::string> names{"one.example.", "two.example.", "three.other."};
  const auto all = encoded(names);
  for (std::size_t room = 0; room <= all.size(); ++room) {
    const auto some = encoded(names, room);
    EXPECT_LE(some.size(), room);
    const auto back = decoded(some);
    ASSERT_LE(back.size(), names.size());
    EXPECT_TRUE(std::equal(back.begin(), back.end(), names.begin())) << room;
  }
  EXPECT_EQ(decoded(encoded(names, all.size())), names);
}

TEST(search_list, the_number_of_names_has_a_bound) {
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back("n" + std::to_string(i) + ".");
  EXPECT_EQ(decoded(encoded(names)).size(), search_list::most_names);
}

}  // namespace
}  // namespace netstack::dhcp
