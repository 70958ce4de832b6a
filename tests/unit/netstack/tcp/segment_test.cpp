#include "netstack/tcp/segment.hpp"

#include <gtest/gtest.h>

#include "netstack/checksum.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace netstack::tcp {
namespace {

bytes make_segment(const segment& s, const bytes& payload, checksum_kind kind = checksum_kind::whole) {
  bytes made(size_of_header(s.options));
  made.insert(made.end(), payload.begin(), payload.end());
  write_header(made, vm, gateway, s, kind);
  return made;
}

bytes in_packet(const bytes& segment) {
  return make_packet({.source = vm, .destination = gateway, .protocol = ipv4::protocol::tcp}, segment);
}

segment syn() {
  segment s;
  s.source_port = 40'000;
  s.destination_port = 80;
  s.number = {7};
  s.flags.syn = true;
  s.options.most_segment = 1'460;
  s.options.window_shift = 7;
  s.options.sack_permitted = true;
  return s;
}

TEST(segment, a_syn_with_its_options_and_back) {
  const auto packet = in_packet(make_segment(syn(), {}));
  const auto read = parse(*ipv4::parse(packet));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->flags, syn().flags);
  EXPECT_EQ(read->options, syn().options);
  EXPECT_EQ(read->number, sequence{7});
  EXPECT_EQ(read->length(), 1U);
}

TEST(segment, data_with_sack_blocks_and_back) {
  segment s;
  s.number = {0xffff'ffff};
  s.acknowledged = {5};
  s.window = 9;
  s.flags.ack = s.flags.psh = s.flags.fin = true;
  for (std::size_t blocks = 0; blocks <= most_sack_blocks; ++blocks) {
    s.options.sack_blocks = blocks;
    for (std::uint32_t i = 0; i < blocks; ++i) s.options.sack[i] = {{100 * i}, {100 * i + 50}};
    const auto packet = in_packet(make_segment(s, counting(1'001)));
    const auto read = parse(*ipv4::parse(packet));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->options, s.options);
    EXPECT_EQ(read->flags, s.flags);
    EXPECT_EQ(read->acknowledged, sequence{5});
    EXPECT_EQ(read->window, 9);
    EXPECT_EQ(to_bytes(read->payload), counting(1'001));
    EXPECT_EQ(read->length(), 1'002U);
  }
}

TEST(segment, every_flag_has_its_bit) {
  for (unsigned bits = 0; bits < 256; ++bits) {
    auto raw = make_segment({}, {});
    raw[13] = static_cast<std::uint8_t>(bits);
    const auto packet = in_packet(raw);
    const auto read = parse(*ipv4::parse(packet), check::skip);
    ASSERT_TRUE(read);
    EXPECT_EQ(make_segment(*read, {})[13], bits);
  }
}

TEST(segment, options_of_a_syn_do_not_count_elsewhere) {
  auto raw = make_segment(syn(), {});
  raw[13] = 0x10;
  const auto packet = in_packet(raw);
  EXPECT_EQ(parse(*ipv4::parse(packet), check::skip)->options, options{});
}

TEST(segment, damaged_options_end_the_options) {
  const auto good = make_segment(syn(), {});
  for (const std::uint8_t length : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{200}}) {
    auto bent = good;
    bent[26] = length;  // of the window scale
    const auto packet = in_packet(bent);
    const auto read = parse(*ipv4::parse(packet), check::skip);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->options.most_segment, 1'460);
    EXPECT_FALSE(read->options.window_shift);
    EXPECT_FALSE(read->options.sack_permitted);
  }
}

TEST(segment, a_window_shift_beyond_14_counts_as_14) {
  auto s = syn();
  s.options.window_shift = 200;
  const auto packet = in_packet(make_segment(s, {}));
  EXPECT_EQ(parse(*ipv4::parse(packet))->options.window_shift, 14);
}

TEST(segment, invalid_lengths_are_refused) {
  const auto good = make_segment(syn(), text("abc"));
  for (const std::uint8_t offset : {std::uint8_t{0x00}, std::uint8_t{0x40}, std::uint8_t{0xf0}}) {
    auto bent = good;
    bent[12] = offset;
    const auto packet = in_packet(bent);
    EXPECT_FALSE(parse(*ipv4::parse(packet), check::skip)) << offset;
  }
  for (std::size_t size = 0; size < header_size; ++size) {
    const auto packet = in_packet(bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_FALSE(parse(*ipv4::parse(packet), check::skip)) << size;
  }
}

TEST(segment, a_wrong_checksum_is_refused) {
  auto bent = make_segment(syn(), text("abc"));
  bent.back() = 'C';
  const auto packet = in_packet(bent);
  EXPECT_FALSE(parse(*ipv4::parse(packet)));
  EXPECT_TRUE(parse(*ipv4::parse(packet), check::skip));
}

// What a receiver with checksum offload does: it adds up the segment with the partial sum in place.
TEST(segment, a_partial_checksum_can_be_completed) {
  auto offloaded = make_segment(syn(), counting(777), checksum_kind::pseudo);
  const auto complete = checksum(offloaded);
  store_16(offloaded, 16, complete);
  EXPECT_EQ(offloaded, make_segment(syn(), counting(777)));
}

}  // namespace
}  // namespace netstack::tcp
