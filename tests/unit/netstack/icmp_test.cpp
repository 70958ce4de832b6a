#include "netstack/icmp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/packets.hpp"

namespace netstack::icmp {
namespace {

ipv4::header_fields fields_of(ipv4::protocol p) { return {.source = vm, .destination = gateway, .protocol = p}; }

TEST(icmp, an_echo_request_is_read_as_it_was_made) {
  for (const std::size_t size : {0U, 16U, 56U, 1'472U, 8'000U}) {
    const auto request = make_echo_request(77, 3, counting(size));
    const auto asked = parse(request);
    ASSERT_TRUE(asked);
    EXPECT_TRUE(asked->is(type::echo_request));
    EXPECT_EQ(asked->id, 77);
    EXPECT_EQ(asked->sequence, 3);
    EXPECT_EQ(to_bytes(asked->payload), counting(size));
  }
}

TEST(icmp, damaged_messages_are_refused) {
  auto request = make_echo_request(1, 2, text("abc"));
  for (std::size_t size = 0; size < header_size; ++size) EXPECT_FALSE(parse(bytes_view(request).first(size)));
  request.back() = 'C';
  EXPECT_FALSE(parse(request));
}

TEST(icmp, an_error_quotes_what_it_is_about) {
  bytes segment(100);
  store_16(segment, 0, 40'000);
  store_16(segment, 2, 80);
  const auto packet = make_packet(fields_of(ipv4::protocol::tcp), segment);
  const auto error = make_error(type::unreachable, static_cast<std::uint8_t>(unreachable::fragmentation_needed),
                                *ipv4::parse(packet), 1'300);
  const auto read = parse(error);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->sequence, 1'300);
  const auto quoted = parse_quoted(*read);
  ASSERT_TRUE(quoted);
  EXPECT_EQ(quoted->packet.source, vm);
  EXPECT_EQ(quoted->packet.destination, gateway);
  EXPECT_TRUE(quoted->packet.is(ipv4::protocol::tcp));
  EXPECT_EQ(quoted->source_port, 40'000);
  EXPECT_EQ(quoted->destination_port, 80);
}

TEST(icmp, an_error_is_bounded) {
  const auto packet = make_packet(fields_of(ipv4::protocol::udp), bytes(9'000));
  const auto error = make_error(type::unreachable, 3, *ipv4::parse(packet));
  EXPECT_EQ(error.size(), header_size + 548);
}

TEST(icmp, a_quote_without_ports_is_refused) {
  const auto packet = make_packet(fields_of(ipv4::protocol::udp), bytes(7));
  const auto error = make_error(type::unreachable, 3, *ipv4::parse(packet));
  EXPECT_FALSE(parse_quoted(*parse(error)));
}

TEST(icmp, packets_that_must_not_get_an_error_get_none) {
  const auto allowed = [](ipv4::header_fields f, const bytes& payload = bytes(8)) {
    const auto packet = make_packet(f, payload);
    return allows_error(*ipv4::parse(packet));
  };
  auto f = fields_of(ipv4::protocol::udp);
  EXPECT_TRUE(allowed(f));
  f.fragment_offset = 8;
  EXPECT_FALSE(allowed(f));
  f = fields_of(ipv4::protocol::udp);
  f.destination = {0xe00000fb};
  EXPECT_FALSE(allowed(f));
  f.destination = {0xffffffff};
  EXPECT_FALSE(allowed(f));
  f = fields_of(ipv4::protocol::udp);
  f.source = {};
  EXPECT_FALSE(allowed(f));
  f = fields_of(ipv4::protocol::icmp);
  EXPECT_TRUE(allowed(f, make_echo_request(1, 1, {})));
  EXPECT_FALSE(allowed(f, bytes{3, 1, 0, 0, 0, 0, 0, 0}));
  EXPECT_FALSE(allowed(f, {}));
}

}  // namespace
}  // namespace netstack::icmp
