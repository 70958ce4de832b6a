#include "protocols/port_mapping/message_codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace port_mapping {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const auto loopback = net::address::loopback_v4();

binding tcp(std::uint16_t container, net::address ip, std::uint16_t host) {
  return {net::protocol::tcp, container, {ip, host}};
}

// ---- encoding

TEST(message_codec, encodes_as_the_product_does) {
  EXPECT_EQ(encode({.remove = false, .bindings = {tcp(80, loopback, 8080)}, .connect_addresses = {}}),
            "{\"remove\":false,\"ports\":{\"80/"
            "tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"}]},\"connectAddrs\":null}\n");
  EXPECT_EQ(encode({.remove = true, .bindings = {tcp(6443, loopback, 6443)}, .connect_addresses = {}}),
            "{\"remove\":true,\"ports\":{\"6443/"
            "tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"6443\"}]},\"connectAddrs\":null}\n");
  EXPECT_EQ(encode({}), "{\"remove\":false,\"ports\":{},\"connectAddrs\":null}\n");
}

TEST(message_codec, groups_by_key_in_gos_order) {
  const message m{.remove = false,
                  .bindings = {tcp(9, loopback, 1),
                               tcp(80, loopback, 2),
                               {net::protocol::udp, 80, {net::address::any_v6(), 3}},
                               tcp(9, loopback, 4)},
                  .connect_addresses = {}};
  EXPECT_THAT(
      encode(m),
      HasSubstr(R"({"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"2"}],"80/udp":[{"HostIp":"::","HostPort":"3"}],)"
                R"("9/tcp":[{"HostIp":"127.0.0.1","HostPort":"1"},{"HostIp":"127.0.0.1","HostPort":"4"}]})"));
}

TEST(message_codec, encodes_connect_addresses) {
  const message m{
      .remove = false,
      .bindings = {},
      .connect_addresses = {{net::address::v4(172, 26, 1, 5), 20}, {net::address::parse("fe80::1").value(), 64}}};
  EXPECT_EQ(encode(m),
            "{\"remove\":false,\"ports\":{},\"connectAddrs\":[{\"network\":\"ip+net\",\"addr\":\"172.26.1.5/20\"},"
            "{\"network\":\"ip+net\",\"addr\":\"fe80::1/64\"}]}\n");
}

TEST(message_codec, stays_below_the_limit_per_binding) {
  const auto longest = net::address::parse("fd00:1111:2222:3333:4444:5555:6666:7777").value();
  message m;
  for (std::uint16_t i = 0; i < 100; ++i)
    m.bindings.push_back(tcp(static_cast<std::uint16_t>(60'000 + i), longest, 65'535));
  EXPECT_LT(encode(m).size(), (m.bindings.size() + 1) * 128);
}

// ---- decoding

TEST(message_codec, decodes_both_forms) {
  const auto d = decode(
      R"({"remove":true,"ports":{"80/TCP":[{"HostIp":"127.0.0.1","HostPort":"8080"}],"53/Udp":[{"HostIp":"","HostPort":"53"}],
                         "81":[{"HostPort":"81"}],"84/tcp":[{"HostIp":"localhost","HostPort":"84"}],"82/tcp":null,"83/tcp":[]},"connectAddrs":null,"x":[1]})");
  ASSERT_TRUE(d) << d.error().message();
  EXPECT_TRUE(d->accepted.remove);
  EXPECT_THAT(d->accepted.bindings,
              ElementsAre(tcp(80, loopback, 8080), binding{net::protocol::udp, 53, {net::address::any_v4(), 53}},
                          tcp(81, net::address::any_v4(), 81), tcp(84, loopback, 84)));
  EXPECT_THAT(d->refused, IsEmpty());
}

TEST(message_codec, null_and_absent_are_empty) {
  for (const auto* text :
       {"{}", R"({"remove":null,"ports":null,"connectAddrs":null})", R"({"ports":{},"connectAddrs":[]})"}) {
    const auto d = decode(text);
    ASSERT_TRUE(d) << text;
    EXPECT_EQ(d->accepted, message{});
  }
}

TEST(message_codec, field_names_in_any_case) {
  const auto d = decode(R"({"Remove":true,"PORTS":{"80/tcp":[{"hostip":"::1","hostport":"8080"}]}})");
  ASSERT_TRUE(d);
  EXPECT_TRUE(d->accepted.remove);
  EXPECT_THAT(d->accepted.bindings, ElementsAre(tcp(80, net::address::loopback_v6(), 8080)));
}

TEST(message_codec, refuses_one_by_one) {
  const auto d = decode(
      R"({"ports":{"0/tcp":[{"HostPort":"1"}],"70000/tcp":[{"HostPort":"1"}],"80/sctp":[{"HostPort":"1"}],"80/unix":[{"HostPort":"1"}],
    "/tcp":[{"HostPort":"1"}],"90/tcp":"x","80/tcp":[{"HostPort":"0"},{"HostPort":"65536"},{"HostPort":"-1"},{"HostPort":"8 "},{"HostPort":80},
    {"HostIp":"example.com","HostPort":"1"},{"HostIp":7,"HostPort":"1"},{"HostIp":"127.0.0.1"},7,null,{"HostPort":"65535"}],"1/udp":[{"HostPort":"2"}]}})");
  ASSERT_TRUE(d) << d.error().message();
  EXPECT_THAT(d->accepted.bindings, ElementsAre(tcp(80, net::address::any_v4(), 65'535),
                                                binding{net::protocol::udp, 1, {net::address::any_v4(), 2}}));
  EXPECT_EQ(d->refused_count, 16U);
  EXPECT_EQ(d->refused[0], "0/tcp: not a port");
  EXPECT_EQ(d->refused[2], "80/sctp: only tcp and udp are forwarded");
  EXPECT_EQ(d->refused[3], "80/unix: not a protocol");
}

TEST(message_codec, many_refusals_are_counted_not_kept) {
  std::string text = R"({"ports":{"80/tcp":[)";
  for (int i = 0; i < 1'000; ++i) text += "{},";
  const auto d = decode(text + "{}]}}");
  ASSERT_TRUE(d);
  EXPECT_EQ(d->refused_count, 1'001U);
  EXPECT_LE(d->refused.size(), 16U);
}

TEST(message_codec, refuses_what_could_mean_anything) {
  for (const auto* text : {"", "7", "[]", "{", R"({"remove":"yes"})", R"({"ports":[]})", R"({"ports":"80"})",
                           R"({"connectAddrs":{}})", "{} {}"})
    EXPECT_FALSE(decode(text)) << text;
}

TEST(message_codec, is_bounded) {
  EXPECT_FALSE(decode(R"({"x":)" + std::string(100, '[') + std::string(100, ']') + "}"));
  EXPECT_FALSE(decode(R"({"x":")" + std::string(max_message_bytes, 'x') + "\"}"));
  std::string many = R"({"ports":{"80/tcp":[)";
  for (std::size_t i = 0; i <= max_message_bindings; ++i) many += "{},";
  EXPECT_FALSE(decode(many + "{}]}}"));
}

TEST(message_codec, connect_addresses_lose_nothing_but_the_wrong_ones) {
  const auto d = decode(
      R"({"connectAddrs":[{"network":"ip+net","addr":"172.26.1.5/20"},{"addr":"fe80::1"},{"addr":"1.2.3.4/33"},{"addr":"x/1"},{},null,3]})");
  ASSERT_TRUE(d);
  EXPECT_THAT(d->accepted.connect_addresses, ElementsAre(connect_address{net::address::v4(172, 26, 1, 5), 20},
                                                         connect_address{net::address::parse("fe80::1").value(), 128}));
  EXPECT_EQ(d->refused_count, 5U);
}

// ---- both

message random_message(std::mt19937& random) {
  std::uniform_int_distribution<int> port(1, 65'535), byte(0, 255), count(0, 20), coin(0, 1);
  message m{.remove = coin(random) == 1, .bindings = {}, .connect_addresses = {}};
  for (int i = count(random); i > 0; --i) {
    std::array<std::uint8_t, 16> bytes{};
    for (auto& b : bytes) b = static_cast<std::uint8_t>(byte(random));
    const auto ip = coin(random) == 1 ? net::address::v4(bytes.data()) : net::address::v6(bytes.data());
    m.bindings.push_back({coin(random) == 1 ? net::protocol::tcp : net::protocol::udp,
                          static_cast<std::uint16_t>(port(random)),
                          {ip, static_cast<std::uint16_t>(port(random))}});
    if (coin(random) == 1) m.connect_addresses.push_back({ip, ip.is_v4() ? 24U : 64U});
  }
  return m;
}

TEST(message_codec, what_is_encoded_is_decoded) {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    auto sent = random_message(random);
    auto got = decode(encode(sent));
    ASSERT_TRUE(got) << got.error().message();
    std::ranges::sort(sent.bindings);
    std::ranges::sort(got->accepted.bindings);
    EXPECT_EQ(got->accepted, sent);
    EXPECT_EQ(got->refused_count, 0U);
  }
}

TEST(message, a_receiver_connects_to_the_first_address_of_the_family) {
  const auto at = [](const char* ip) { return connect_address{net::address::parse(ip).value(), 24}; };
  const std::vector<connect_address> all{at("0.0.0.0"), at("fe80::1"), at("172.26.1.5"), at("10.0.0.1"), at("fd00::5")};
  EXPECT_EQ(target_of(all, true)->to_string(), "172.26.1.5");
  EXPECT_EQ(target_of(all, false)->to_string(), "fd00::5") << "fe80::1 needs an interface";
  EXPECT_EQ(target_of({at("fe80::1")}, false), std::nullopt);
  EXPECT_EQ(target_of({}, true), std::nullopt);
}

}  // namespace
}  // namespace port_mapping
