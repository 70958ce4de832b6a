// DHCP messages whose bytes lie, and clients that ask without an end: each message gets one right answer at most, and
// no client is given what belongs to another.
#include <gtest/gtest.h>

#include <set>

#include "netstack/dhcp/server.hpp"
#include "tests/unit/netstack/dhcp/messages.hpp"

namespace netstack::dhcp {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1'000h};
const net::cidr subnet = *net::cidr::parse("192.168.127.0/24");
constexpr std::size_t most_answer = 576 - 28;  // what every client takes (RFC 2131, 2), less IP's and UDP's headers

client_message request_with_options() {
  return {.type = message_type::request,
          .hardware = mac(1),
          .requested = ip("192.168.127.3"),
          .more = {{55, {1, 3, 6, 15, 26}}, {57, {2, 64}}, {60, text("udhcp 1.35.0")}, {61, {1, 2, 0, 0, 0, 0, 1}}}};
}

void expect_right(const answer& a) {
  ASSERT_GE(a.payload.size(), 300U);
  ASSERT_LE(a.payload.size(), most_answer);
  const auto type = type_of(a.payload);
  ASSERT_TRUE(type == message_type::offer || type == message_type::ack || type == message_type::nak);
  EXPECT_EQ(option_of(a.payload, 54), four(gateway));
  if (type == message_type::nak) return;
  const auto given = your_address(a.payload);
  EXPECT_TRUE(subnet.contains(ipv4::to_net(given)));
  for (const auto* own : {"192.168.127.0", "192.168.127.1", "192.168.127.254", "192.168.127.255"})
    EXPECT_NE(given, ip(own));
}

TEST(hostile_messages, any_byte_of_a_message_may_be_wrong) {
  const auto right = request_with_options().write();
  for (std::size_t at = 0; at < right.size(); ++at) {
    if (at >= 44 && at < 236) continue;  // server name and file: zeros that are not read
    for (unsigned value = 0; value < 256; ++value) {
      server s{settings(subnet)};
      auto wrong = right;
      wrong[at] = static_cast<std::uint8_t>(value);
      if (const auto a = s.on_message(wrong, mac(1), start)) expect_right(*a);
      ASSERT_LE(s.leases(start).size(), 2U);
      ASSERT_FALSE(testing::Test::HasFailure()) << at << ' ' << value;
    }
  }
}

TEST(hostile_messages, a_message_that_is_cut_anywhere_has_no_answer) {
  const auto whole = request_with_options().write();
  server s{settings(subnet)};
  for (std::size_t size = 0; size < whole.size(); ++size)
    ASSERT_FALSE(s.on_message(bytes_view(whole).first(size), mac(1), start)) << size;
  EXPECT_EQ(s.counted().malformed, whole.size());
  EXPECT_TRUE(s.on_message(whole, mac(1), start));
}

// An option of each length that its room does not hold, in each of the three places where options stand.
TEST(hostile_messages, options_that_are_longer_than_their_room_are_dropped) {
  for (unsigned length = 0; length < 256; ++length) {
    server s{settings(subnet)};
    auto m = request_with_options().write();
    m.pop_back();  // the end
    m.push_back(12);
    m.push_back(static_cast<std::uint8_t>(length));
    m.resize(m.size() + 20, 'x');
    m.push_back(255);
    const auto a = s.on_message(m, mac(1), start);
    if (length > 20) EXPECT_FALSE(a) << length;
    if (length == 20) EXPECT_TRUE(a);
    if (a) expect_right(*a);
  }
  for (const std::size_t field : {44UL, 108UL})
    for (unsigned length = 0; length < 256; ++length) {
      server s{settings(subnet)};
      auto message = request_with_options();
      message.more.push_back({52, {3}});  // both fields hold options
      auto m = message.write();
      m[44] = m[108] = 255;
      m[field] = 12;
      m[field + 1] = static_cast<std::uint8_t>(length);
      m[field + 2] = 255;
      if (const auto a = s.on_message(m, mac(1), start)) expect_right(*a);
    }
}

TEST(hostile_messages, a_client_that_lies_about_its_size_gets_a_right_answer) {
  std::vector<std::string> domains;
  for (int i = 0; i < 60; ++i) domains.push_back("a-rather-long-search-domain-" + std::to_string(i) + ".example.org");
  for (const auto size : std::vector<std::uint16_t>{0, 1, 100, 575, 576, 577, 1'500, 65'535}) {
    server s{settings(subnet)};
    s.set_search_domains(domains);
    auto message = request_with_options();
    bytes says(2);
    store_16(says, 0, size);
    message.more[1] = {57, says};
    const auto a = s.on_message(message.write(), mac(1), start);
    ASSERT_TRUE(a) << size;
    EXPECT_LE(a->payload.size() + 28, std::max<std::size_t>(576, std::min<std::size_t>(size, 1'500))) << size;
    EXPECT_EQ(type_of(a->payload), message_type::ack);
  }
}

// A client identity that is not its MAC makes no second client of it.
TEST(hostile_messages, many_identities_of_one_mac_have_one_lease) {
  server s{settings(subnet)};
  std::set<std::uint32_t> given;
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    client_message m{.hardware = mac(1), .more = {{61, four({i})}}};
    const auto sent = m.write();
    const auto a = s.on_message(sent, mac(1), start + 1s * i);
    ASSERT_TRUE(a);
    given.insert(your_address(a->payload).value);
  }
  EXPECT_EQ(given.size(), 1U);
}

// A day of requests by invented machines: leases are bounded at each moment, and end.
TEST(hostile_messages, a_day_of_invented_machines_holds_a_pool_and_no_more) {
  server s{settings(subnet)};
  auto now = start;
  std::size_t answered = 0;
  for (std::uint32_t i = 0; i < 20'000; ++i, now += 4s) {
    const auto hardware = mac(100 + i);
    const auto offer = s.on_message(client_message{.hardware = hardware}.write(), hardware, now);
    if (!offer) continue;
    ++answered;
    client_message m{.type = message_type::request,
                     .hardware = hardware,
                     .requested = your_address(offer->payload),
                     .server = gateway};
    const auto ack = s.on_message(m.write(), hardware, now);
    ASSERT_TRUE(ack);
    expect_right(*ack);
    if (i % 500 == 0) ASSERT_LE(s.leases(now).size(), 252U);
  }
  EXPECT_LE(answered, 24 * 251U);
  EXPECT_GE(answered, 22 * 251U);
  EXPECT_GT(s.counted().exhausted, 10'000U);
  EXPECT_EQ(s.leases(now + 3'601s).size(), 1U) << "the fixed one";
  const auto own = s.on_message(client_message{.hardware = vm_mac}.write(), vm_mac, now);
  ASSERT_TRUE(own);
  EXPECT_EQ(your_address(own->payload), vm);
}

}  // namespace
}  // namespace netstack::dhcp
