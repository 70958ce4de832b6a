#include "netstack/stack/error_sender.hpp"

#include "netstack/udp_datagram.hpp"
#include "tests/unit/netstack/stack/sender_parts.hpp"

namespace netstack {
namespace {

using namespace std::chrono_literals;

constexpr ipv4::address server{0xc6336407};

struct errors_and_parts : sender_parts {
  explicit errors_and_parts(const stack_settings& s = {}) : sender_parts(s), errors(settings, out, counted) {}

  // How many of `count` errors about one packet went out.
  std::size_t sent_of(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) errors.send(icmp::type::unreachable, 3, *ipv4::parse(about), now);
    return take_packets().size();
  }

  error_sender errors;
  bytes about = make_packet({.source = vm, .destination = server, .protocol = ipv4::protocol::udp}, counting(600));
};

TEST(error_sender, an_error_quotes_what_it_is_about_within_576_bytes) {
  errors_and_parts all;
  all.errors.send(icmp::type::unreachable, 3, *ipv4::parse(all.about), all.now);
  const auto packets = all.take_packets();
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_LE(packets[0].size(), 576U);
  const auto packet = *ipv4::parse(packets[0]);
  EXPECT_EQ(packet.source, gateway);
  EXPECT_EQ(packet.destination, vm);
  const auto m = icmp::parse(packet.payload);
  ASSERT_TRUE(m);
  EXPECT_EQ(m->code, 3);
  EXPECT_TRUE(std::ranges::equal(m->payload, bytes_view(all.about).first(m->payload.size())));
  EXPECT_EQ(all.counted.errors_out, 1U);
}

TEST(error_sender, a_second_has_its_number_of_errors_and_the_next_one_begins_anew) {
  stack_settings settings;
  settings.limits.errors_a_second = 10;
  errors_and_parts all(settings);
  EXPECT_EQ(all.sent_of(25), 10U);
  EXPECT_EQ(all.counted.errors_suppressed, 15U);
  all.now += 999ms;
  EXPECT_EQ(all.sent_of(5), 0U);
  all.now += 1ms;
  EXPECT_EQ(all.sent_of(25), 10U);
  all.now += 1h;  // a pause saves nothing up
  EXPECT_EQ(all.sent_of(25), 10U);
  EXPECT_EQ(all.counted.errors_out, 30U);
  EXPECT_EQ(all.counted.errors_suppressed, 50U);
}

TEST(error_sender, errors_and_resets_share_the_number) {
  stack_settings settings;
  settings.limits.errors_a_second = 4;
  errors_and_parts all(settings);
  tcp::segment s;
  s.flags.ack = true;
  const auto packet = make_packet({.source = vm, .destination = server, .protocol = ipv4::protocol::tcp}, bytes(20));
  for (int i = 0; i < 3; ++i) all.errors.reset(*ipv4::parse(packet), s, all.now);
  all.take_packets();
  EXPECT_EQ(all.sent_of(5), 1U);
  all.errors.reset(*ipv4::parse(packet), s, all.now);
  EXPECT_TRUE(all.take_packets().empty());
}

// RFC 1122, 3.2.2: none about errors, groups, later fragments, and what came from no single host.
TEST(error_sender, some_packets_get_no_error_and_cost_none) {
  stack_settings settings;
  settings.limits.errors_a_second = 1;
  errors_and_parts all(settings);
  const auto error = icmp::make_error(icmp::type::unreachable, 3, *ipv4::parse(all.about));
  const bytes_view own_error(error);
  for (const auto& packet :
       {make_packet({.source = vm, .destination = server, .protocol = ipv4::protocol::icmp}, to_bytes(own_error)),
        make_packet({.source = vm, .destination = {0xffff'ffff}, .protocol = ipv4::protocol::udp}, bytes(8)),
        make_packet({.source = vm, .destination = {0xe000'0001}, .protocol = ipv4::protocol::udp}, bytes(8)),
        make_packet({.source = {0}, .destination = server, .protocol = ipv4::protocol::udp}, bytes(8)),
        make_packet({.source = vm, .destination = server, .protocol = ipv4::protocol::udp, .fragment_offset = 8},
                    bytes(8))})
    all.errors.send(icmp::type::unreachable, 3, *ipv4::parse(packet), all.now);
  EXPECT_TRUE(all.take_packets().empty());
  EXPECT_EQ(all.sent_of(1), 1U);
  EXPECT_EQ(all.counted.errors_suppressed, 0U);
}

TEST(error_sender, a_lost_datagram_is_quoted_with_its_ports) {
  errors_and_parts all;
  all.errors.send_about({.protocol = ipv4::protocol::udp, .from = {vm, 4'000}, .to = {server, 53}}, server,
                        icmp::type::unreachable, 4, 1'300, all.now);
  const auto packets = all.take_packets();
  ASSERT_EQ(packets.size(), 1U);
  const auto packet = *ipv4::parse(packets[0]);
  EXPECT_EQ(packet.source, server);
  const auto m = icmp::parse(packet.payload);
  ASSERT_TRUE(m);
  EXPECT_EQ(m->sequence, 1'300);
  const auto quoted = icmp::parse_quoted(*m);
  ASSERT_TRUE(quoted);
  EXPECT_EQ(quoted->source_port, 4'000);
  EXPECT_EQ(quoted->destination_port, 53);
  EXPECT_EQ(quoted->packet.source, vm);
  EXPECT_EQ(quoted->packet.destination, server);
  EXPECT_EQ(load_16(quoted->packet.payload, 4), 8) << "the length of the datagram's header";
}

TEST(error_sender, a_lost_segment_and_a_lost_echo_are_quoted_with_their_numbers) {
  errors_and_parts all;
  all.errors.send_about({.protocol = ipv4::protocol::tcp, .from = {vm, 4'000}, .to = {server, 80}, .rest = 0x1234'5678},
                        gateway, icmp::type::unreachable, 1, 0, all.now);
  all.errors.send_about({.protocol = ipv4::protocol::icmp, .from = {vm}, .to = {server}, .rest = 0x0007'0009}, gateway,
                        icmp::type::time_exceeded, 0, 0, all.now);
  const auto packets = all.take_packets();
  ASSERT_EQ(packets.size(), 2U);
  for (const auto& [bytes, number] : {std::pair{packets[0], 0x1234'5678U}, {packets[1], 0x0007'0009U}}) {
    const auto packet = *ipv4::parse(bytes);
    const auto quoted = icmp::parse_quoted(*icmp::parse(packet.payload));
    ASSERT_TRUE(quoted);
    EXPECT_EQ(load_32(quoted->packet.payload, 4), number);
  }
}

TEST(error_sender, a_reset_takes_its_numbers_from_what_it_refuses) {
  errors_and_parts all;
  const auto packet = make_packet({.source = vm, .destination = server, .protocol = ipv4::protocol::tcp}, bytes(20));
  const auto answer_to = [&](const tcp::segment& s) {
    all.errors.reset(*ipv4::parse(packet), s, all.now);
    const auto packets = all.take_packets();
    if (packets.empty()) return tcp::segment{};
    const auto answer = *ipv4::parse(packets.at(0));
    EXPECT_EQ(answer.source, server);
    EXPECT_EQ(answer.destination, vm);
    auto parsed = *tcp::parse(answer);
    parsed.payload = {};
    return parsed;
  };
  tcp::segment s;
  s.source_port = 4'000;
  s.destination_port = 80;
  s.number = {1'000};
  s.acknowledged = {77};
  s.flags.ack = true;
  const auto with_ack = answer_to(s);
  EXPECT_TRUE(with_ack.flags.rst);
  EXPECT_FALSE(with_ack.flags.ack);
  EXPECT_EQ(with_ack.number.value, 77U);
  EXPECT_EQ(with_ack.source_port, 80);
  EXPECT_EQ(with_ack.destination_port, 4'000);
  const auto payload = counting(10);
  s.flags = {.syn = true};
  s.payload = payload;
  const auto to_syn = answer_to(s);
  EXPECT_TRUE(to_syn.flags.rst && to_syn.flags.ack);
  EXPECT_EQ(to_syn.acknowledged.value, 1'011U) << "behind the SYN and its payload";
  s.flags = {.rst = true, .ack = true};
  EXPECT_FALSE(answer_to(s).flags.rst) << "a RST is never answered";
}

}  // namespace
}  // namespace netstack
