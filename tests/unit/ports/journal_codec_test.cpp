#include "ports/journal_codec.hpp"

#include <gtest/gtest.h>

namespace ports {
namespace {

const forward web{{net::protocol::tcp, net::address::any_v4(), 8080}, 80, source_id::docker, {}};
const forward dns{{net::protocol::udp, net::address::loopback_v6(), 53}, 53, source_id::kubernetes, {}};

TEST(journal_codec, round_trips) {
  const auto c = parse_journal(encode_journal_header("boot-1") + encode_journal_add(web) + encode_journal_add(dns));
  EXPECT_EQ(c.boot_id, "boot-1");
  ASSERT_EQ(c.live.size(), 2U);
  EXPECT_EQ(c.live.at(web.key), web);
  EXPECT_EQ(c.live.at(dns.key), dns);
  EXPECT_EQ(c.damaged_lines, 0U);
}

TEST(journal_codec, a_port_with_another_number_inside_the_vm_keeps_both) {
  auto moved = web;
  moved.remapped_from = 9080;
  EXPECT_EQ(encode_journal_add(moved), "+ tcp 0.0.0.0 8080 80 docker 9080\n");
  EXPECT_EQ(parse_journal(encode_journal_add(moved)).live.at(web.key), moved);
  EXPECT_EQ(parse_journal("+ tcp 0.0.0.0 8080 80 docker 0\n").damaged_lines, 1U);
}

TEST(journal_codec, erased_entries_are_gone) {
  const auto c = parse_journal(encode_journal_header("b") + encode_journal_add(web) + encode_journal_erase(web.key));
  EXPECT_TRUE(c.live.empty());
}

TEST(journal_codec, a_torn_last_line_is_skipped) {
  auto text = encode_journal_header("b") + encode_journal_add(web) + encode_journal_add(dns);
  text.pop_back();
  const auto c = parse_journal(text);
  EXPECT_EQ(c.live.size(), 1U);
  EXPECT_EQ(c.damaged_lines, 1U);
}

TEST(journal_codec, damage_takes_only_its_own_line) {
  const auto c =
      parse_journal("rubbish\n+ tcp 0.0.0.0 0 80 docker\n+ tcp nowhere 80 80 docker\n+ tcp 0.0.0.0 80 80 unknown\n" +
                    encode_journal_add(web) + std::string("\0\n", 2));
  EXPECT_EQ(c.boot_id, "");
  EXPECT_EQ(c.live.size(), 1U);
  EXPECT_EQ(c.damaged_lines, 5U);
}

TEST(journal_codec, a_source_has_to_be_known) {
  static constexpr source_id other{7, "other"};
  const auto text = encode_journal_add({web.key, 80, other});
  EXPECT_EQ(parse_journal(text).damaged_lines, 1U);
  EXPECT_EQ(parse_journal(text, std::array{other}).live.at(web.key).source, other);
}

}  // namespace
}  // namespace ports
