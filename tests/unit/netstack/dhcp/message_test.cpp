#include "netstack/dhcp/message.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/dhcp/messages.hpp"

namespace netstack::dhcp {
namespace {

TEST(dhcp_message, what_a_client_sends_is_read) {
  const auto sent = client_message{.type = message_type::request,
                                   .hardware = mac(7),
                                   .client_address = ip("192.168.127.3"),
                                   .relay = ip("10.0.0.1"),
                                   .requested = ip("192.168.127.4"),
                                   .server = ip("192.168.127.1"),
                                   .broadcast = true,
                                   .more = {{57, {0x05, 0xdc}}, {61, {1, 2, 3}}, {12, text("name")}}}
                        .write();
  const auto r = parse(sent);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->type, message_type::request);
  EXPECT_EQ(r->transaction, 0x1234'5678U);
  EXPECT_TRUE(r->broadcast);
  EXPECT_EQ(r->client_address, ip("192.168.127.3"));
  EXPECT_EQ(r->relay, ip("10.0.0.1"));
  EXPECT_EQ(r->hardware, mac(7));
  EXPECT_EQ(r->requested, ip("192.168.127.4"));
  EXPECT_EQ(r->server, ip("192.168.127.1"));
  EXPECT_EQ(r->most_size, 1500);
  EXPECT_EQ(to_bytes(r->client_id), (bytes{1, 2, 3}));
}

TEST(dhcp_message, each_shorter_message_is_dropped) {
  const auto sent = client_message{}.write();
  ASSERT_TRUE(parse(sent));
  for (std::size_t size = 0; size < sent.size(); ++size) EXPECT_FALSE(parse(bytes_view(sent).first(size))) << size;
}

TEST(dhcp_message, options_without_end_are_dropped) {
  auto sent = client_message{}.write();
  sent.back() = 0;
  EXPECT_FALSE(parse(sent));
  sent.insert(sent.end(), 60, 0);
  EXPECT_FALSE(parse(sent));
  sent.push_back(255);
  EXPECT_TRUE(parse(sent));
}

TEST(dhcp_message, an_option_beyond_the_message_is_dropped) {
  auto sent = client_message{.more = {{61, {1, 2, 3}}}}.write();
  const auto at_length = sent.size() - 5;
  ASSERT_EQ(sent[at_length], 3);
  for (unsigned lie = 4; lie < 256; ++lie) {
    sent[at_length] = static_cast<std::uint8_t>(lie);
    EXPECT_FALSE(parse(sent)) << lie;
  }
}

TEST(dhcp_message, options_go_on_in_file_and_server_name) {
  auto sent = client_message{.type = message_type::request, .more = {{52, {3}}}}.write();
  const bytes in_file{50, 4, 192, 168, 127, 9, 255}, in_name{61, 2, 8, 9, 50, 4, 1, 1, 1, 1, 255};
  std::ranges::copy(in_file, sent.begin() + 108);
  std::ranges::copy(in_name, sent.begin() + 44);
  const auto r = parse(sent);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->requested, ip("192.168.127.9"));  // the first counts
  EXPECT_EQ(to_bytes(r->client_id), (bytes{8, 9}));

  sent[108 + 6] = 0;  // no end in `file`: what follows it is not an option
  EXPECT_FALSE(parse(sent));
}

TEST(dhcp_message, options_of_wrong_sizes_do_not_count) {
  const auto sent = client_message{.more = {{50, {1, 2, 3}}, {54, {}}, {57, {1}}, {52, {3, 3}}}}.write();
  const auto r = parse(sent);
  ASSERT_TRUE(r);
  EXPECT_FALSE(r->requested);
  EXPECT_FALSE(r->server);
  EXPECT_FALSE(r->most_size);
}

TEST(dhcp_message, other_hardware_and_other_protocols_are_dropped) {
  const auto sent = client_message{}.write();
  for (const std::size_t at : {0U, 1U, 2U, 236U, 239U}) {
    auto other = sent;
    other[at] ^= 0x10U;
    EXPECT_FALSE(parse(other)) << at;
  }
  EXPECT_FALSE(parse(client_message{.type = message_type{0}}.write()));
  EXPECT_FALSE(parse(client_message{.type = message_type{9}}.write()));
}

TEST(dhcp_message, an_answer_has_no_byte_of_an_earlier_one) {
  const auto sent = client_message{.more = {{61, bytes(200, 0xee)}}}.write();
  const configuration given{.address = ip("192.168.127.3"),
                            .lease_time = std::chrono::seconds(3600),
                            .mask = ip("255.255.255.0"),
                            .router = ip("192.168.127.1"),
                            .dns_server = ip("192.168.127.1"),
                            .mtu = 1500,
                            .search = {}};
  std::vector<std::uint8_t> fresh, used(2'000, 0xee);
  write(fresh, *parse(sent), message_type::offer, ip("192.168.127.1"), given);
  write(used, *parse(sent), message_type::offer, ip("192.168.127.1"), given);
  EXPECT_EQ(fresh, used);

  const auto plain = client_message{}.write();
  write(used, *parse(plain), message_type::nak, ip("192.168.127.1"), std::nullopt);
  EXPECT_EQ(used.size(), 300U);
  EXPECT_EQ(std::ranges::count(used, 0xee), 0);
  // Fixed fields that the server does not use are zero: sname, file, the rest of chaddr.
  for (std::size_t i = 34; i < 236; ++i) EXPECT_EQ(used[i], 0) << i;
}

TEST(dhcp_message, the_room_for_search_names_keeps_the_answer_within_the_clients_size) {
  for (const auto takes : std::vector<std::uint16_t>{0, 300, 576, 577, 800, 1100, 1400, 65535})
    for (const std::size_t id : {0U, 1U, 7U, 200U, 255U}) {
      client_message m;
      if (takes != 0)
        m.more.push_back({57, {static_cast<std::uint8_t>(takes >> 8U), static_cast<std::uint8_t>(takes)}});
      if (id != 0) m.more.push_back({61, bytes(id, 1)});
      const auto sent = m.write();
      const auto r = parse(sent);
      ASSERT_TRUE(r);
      const bytes search(room_for_search(*r, 1'500), 1);
      std::vector<std::uint8_t> answer;
      write(answer, *r, message_type::ack, {}, configuration{.search = search});
      const auto most = std::clamp<std::size_t>(takes, 576, 1'500);
      if (id < 200) {
        EXPECT_LE(28 + answer.size(), most) << takes << " " << id;
        EXPECT_GE(28 + answer.size(), most - 2) << takes << " " << id;
      }
      EXPECT_EQ(option_of(answer, 119).value_or(bytes{}), search);
    }
}

}  // namespace
}  // namespace netstack::dhcp
