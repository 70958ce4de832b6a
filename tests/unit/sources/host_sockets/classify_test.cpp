#include "sources/host_sockets/classify.hpp"

#include <gmock/gmock.h>

#include <set>

#include "sources/host_sockets/machine.hpp"

namespace host_sockets {
namespace {

using testing::Optional;

const auto ignored = ignore_list::parse("default").value();
const rules by{ignored, {32'768, 60'999}};

observation one(std::string_view text, owner held_by = owner::other) {
  return {.socket = {.protocol = *net::parse_protocol(text.substr(0, 3)), .at = *net::parse_endpoint(text.substr(4))},
          .held_by = held_by};
}

TEST(classify, a_port_and_an_address_are_reasons_whatever_process_holds_the_socket) {
  for (const auto held_by : {owner::other, owner::unknown, owner::kernel}) {
    EXPECT_THAT(classify(one("udp 0.0.0.0:8472", held_by), by), Optional(exclusion::ignored));
    EXPECT_THAT(classify(one("udp 224.0.0.1:500", held_by), by), Optional(exclusion::multicast));
    EXPECT_THAT(classify(one("udp 0.0.0.0:40000", held_by), by), Optional(exclusion::client_port));
    EXPECT_THAT(classify(one("tcp [fe80::1]:80", held_by), by), Optional(exclusion::device));
  }
  EXPECT_EQ(classify(one("tcp 0.0.0.0:40000"), by), std::nullopt) << "of TCP a listener is a server";
}

TEST(classify, a_relay_of_this_program_is_its_own_before_all) {
  for (const auto* relay : {"tcp 192.168.127.2:80", "udp 192.168.127.2:40000", "udp 0.0.0.0:8472"}) {
    auto o = one(relay, owner::agent);
    o.socket.device = 2;
    EXPECT_TRUE(may_be_relay(o.socket));
    EXPECT_THAT(classify(o, by), Optional(exclusion::agent)) << relay;
    o.held_by = owner::other;
    EXPECT_NE(classify(o, by), std::nullopt) << relay;
    EXPECT_NE(classify(o, by), exclusion::agent) << relay;
  }
  EXPECT_FALSE(may_be_relay(one("tcp 0.0.0.0:80").socket));
}

TEST(classify, the_owner_decides_what_is_left) {
  const std::pair<owner, std::optional<exclusion>> all[] = {
      {owner::other, std::nullopt},           {owner::unresolved, exclusion::momentary},
      {owner::starting, exclusion::starting}, {owner::agent, exclusion::agent},
      {owner::engine, exclusion::engine},     {owner::reserver, exclusion::reserver},
      {owner::kernel, exclusion::kernel},     {owner::unknown, exclusion::unknown_owner},
  };
  for (const auto& [held_by, expected] : all) {
    EXPECT_EQ(classify(one("tcp 0.0.0.0:80", held_by), by), expected) << static_cast<int>(held_by);
    EXPECT_TRUE(needs_owner(one("tcp 0.0.0.0:80", held_by), by));
  }
}

TEST(classify, a_young_socket_needs_no_owner) {
  auto o = one("udp 0.0.0.0:500");
  EXPECT_TRUE(needs_owner(o, by));
  o.young = true;
  EXPECT_FALSE(needs_owner(o, by));
  EXPECT_THAT(classify(o, by), Optional(exclusion::momentary));
}

TEST(classify, each_reason_has_words_of_its_own) {
  std::set<std::string_view> words, names;
  for (std::size_t i = 0; i < exclusion_count; ++i) {
    words.insert(to_text(static_cast<exclusion>(i)));
    names.insert(name_of(static_cast<exclusion>(i)));
  }
  EXPECT_EQ(words.size(), exclusion_count);
  EXPECT_EQ(names.size(), exclusion_count);
  EXPECT_EQ(static_cast<std::size_t>(exclusion::unknown_owner) + 1, exclusion_count);
}

TEST(port_range, is_read_or_an_error) {
  EXPECT_EQ(parse_port_range("32768\t60999\n"), (netlink::port_range{32'768, 60'999}));
  EXPECT_EQ(parse_port_range("1024\t1024"), (netlink::port_range{1'024, 1'024}));
  for (const auto* text : {"", "\n", "32768", "32768 60999", "60999\t32768", "0\t1", "1\t2\t3", "a\tb", "1\t65536"})
    EXPECT_FALSE(parse_port_range(text)) << text;
}

}  // namespace
}  // namespace host_sockets
