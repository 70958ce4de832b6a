// Headers that lie, frames of every length, fragments without an end: what is not whole is dropped and counted, nothing
// of it reaches the owner, and nothing is answered that must not be.
#include "tests/unit/netstack/stack/hostile.hpp"

namespace netstack {
namespace {

bytes syn_packet() {
  tcp::segment syn;
  syn.flags.syn = true;
  syn.window = 1'000;
  syn.options.most_segment = 1'460;
  syn.options.window_shift = 7;
  syn.options.sack_permitted = true;
  return tcp_packet({vm, 1'000}, {server, 80}, syn);
}

bytes icmp_packet(const bytes& message) {
  return make_packet({.source = vm, .destination = server, .protocol = ipv4::protocol::icmp}, message);
}

bytes arp_frame() {
  bytes frame(ethernet::header_size + arp::message_size);
  ethernet::write_header(frame, gateway_mac, vm_mac, ethernet::ethertype::arp);
  arp::write(
      bytes_span(frame).subspan(ethernet::header_size),
      {.what = arp::operation::request, .sender_mac = vm_mac, .sender = vm, .target_mac = {}, .target = gateway});
  return frame;
}

void fix_header_checksum(bytes& packet) {
  store_16(packet, 10, 0);
  store_16(packet, 10, checksum(bytes_view(packet).first(ipv4::header_size)));
}

// The checksum of the transport header stays as it is: `unchecked` makes the stack believe it, as on an offload link.
constexpr offload unchecked{.needs_checksum = true};

std::vector<bytes> whole_frames() {
  return {arp_frame(), frame_of(syn_packet()), frame_of(udp_packet({vm, 1}, {server, 53}, counting(40))),
          frame_of(icmp_packet(icmp::make_echo_request(1, 2, counting(40))))};
}

// ---- Lengths

TEST(hostile_packets, a_frame_that_is_cut_anywhere_reaches_nothing) {
  for (const auto& whole : whole_frames()) {
    fake_vm all;
    bystander good(all);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      all.put({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
      const auto done = take_work(all);
      ASSERT_EQ(done.actions + done.frames, 0U) << size;
    }
    EXPECT_EQ(all.net.counters().malformed, whole.size());
    all.put(whole);
    const auto done = take_work(all);
    EXPECT_EQ(done.actions + done.frames, 1U);
    good.expect_unharmed();
  }
}

// Padding of a link, or what a machine hides behind a packet, is no part of it.
TEST(hostile_packets, bytes_behind_a_packet_do_not_count) {
  for (const auto& whole : whole_frames()) {
    fake_vm all;
    auto longer = whole;
    longer.resize(whole.size() + 1'000, 0xee);
    all.put(longer);
    for (const auto& payload : all.payloads) EXPECT_EQ(payload, counting(40));
    const auto done = take_work(all);
    EXPECT_EQ(done.actions + done.frames, 1U);
  }
}

TEST(hostile_packets, ipv4_header_lengths_that_lie) {
  fake_vm all;
  bystander good(all);
  for (unsigned words = 0; words < 16; ++words) {
    auto packet = udp_packet({vm, 1}, {server, 53}, bytes(60));
    packet[0] = static_cast<std::uint8_t>(0x40U | words);
    const auto size = std::size_t{words} * 4;
    store_16(packet, 10, 0);
    if (size >= ipv4::header_size && size <= packet.size())
      store_16(packet, 10, checksum(bytes_view(packet).first(size)));
    all.put_packet(packet);
    // Options are skipped, so that the UDP header is read elsewhere: of zeros, whose length lies.
    EXPECT_EQ(all.actions.size(), words == 5 ? 1U : 0U) << words;
    EXPECT_TRUE(all.seen.empty());
    take_work(all);
  }
  EXPECT_EQ(all.net.counters().malformed, 15U);
  good.expect_unharmed();
}

TEST(hostile_packets, ipv4_versions_and_total_lengths_that_lie) {
  fake_vm all;
  bystander good(all);
  for (unsigned version = 0; version < 16; ++version) {
    auto packet = udp_packet({vm, 1}, {server, 53}, bytes(60));
    packet[0] = static_cast<std::uint8_t>(version << 4U | 5U);
    fix_header_checksum(packet);
    all.put_packet(packet);
    EXPECT_EQ(take_work(all).actions, version == 4 ? 1U : 0U);
  }
  const auto packet = udp_packet({vm, 1}, {server, 53}, bytes(60));
  for (std::size_t total = 0; total < 65'536; total += total < 200 ? 1 : 97) {
    auto lies = packet;
    store_16(lies, 2, static_cast<std::uint16_t>(total));
    fix_header_checksum(lies);
    all.put_packet(lies, unchecked);
    ASSERT_EQ(take_work(all).actions, total == packet.size() ? 1U : 0U) << total;
  }
  good.expect_unharmed();
}

TEST(hostile_packets, tcp_data_offsets_that_lie) {
  fake_vm all;
  bystander good(all);
  for (unsigned words = 0; words < 16; ++words) {
    auto packet = syn_packet();
    const auto tcp_size = packet.size() - ipv4::header_size;
    packet[ipv4::header_size + 12] = static_cast<std::uint8_t>(words << 4U);
    all.put_packet(packet, unchecked);
    const auto size = std::size_t{words} * 4;
    const bool possible = size >= tcp::header_size && size <= tcp_size;
    EXPECT_EQ(all.actions.size(), possible ? 1U : 0U) << words;
    for (const auto& a : all.actions)  // refused, so that the port is free for the next
      if (const auto* c = std::get_if<action::connect>(&a)) all.net.abort(c->flow, all.now);
    all.turn();
    take_work(all);
  }
  EXPECT_EQ(all.net.counters().flows, 1U);
  good.expect_unharmed();
}

// Each option with each length, at the end of the room for options and in front of others.
TEST(hostile_packets, tcp_options_of_any_kind_and_length) {
  fake_vm all;
  bystander good(all);
  for (unsigned kind = 0; kind < 256; kind += kind < 12 ? 1 : 61)
    for (unsigned length = 0; length < 256; length += length < 48 ? 1 : 23)
      for (const std::size_t at : {0UL, 1UL, 10UL}) {
        auto packet = syn_packet();
        const auto options = bytes_span(packet).subspan(ipv4::header_size + tcp::header_size);
        ASSERT_LT(at + 1, options.size());
        options[at] = static_cast<std::uint8_t>(kind);
        options[at + 1] = static_cast<std::uint8_t>(length);
        all.put_packet(packet, unchecked);
        ASSERT_EQ(count_of<action::connect>(all.actions), 1U) << kind << ' ' << length;
        all.net.connected(std::get<action::connect>(all.actions.front()).flow, all.now);
        all.turn();
        ASSERT_EQ(all.seen.size(), 1U);  // pull() has checked it
        all.net.abort(std::get<action::connect>(all.actions.front()).flow, all.now);
        all.turn();
        take_work(all);
      }
  all.turn();
  EXPECT_EQ(all.net.counters().flows, 1U);
  good.expect_unharmed();
}

TEST(hostile_packets, icmp_and_quoted_packets_of_any_length) {
  fake_vm all;
  bystander good(all);
  all.net.send_datagram({gateway, 20'000}, {vm, 53}, text("x"), false, all.now);
  all.pull();
  const auto error = icmp::make_error(icmp::type::unreachable, 3, all.only_frame().packet());
  for (std::size_t size = 0; size < error.size(); ++size) {
    bytes shorter(error.begin(), error.begin() + static_cast<std::ptrdiff_t>(size));
    if (size >= 4) {
      store_16(shorter, 2, 0);
      store_16(shorter, 2, checksum(shorter));
    }
    all.put_icmp(gateway, shorter);
    ASSERT_EQ(all.actions.size(), size >= 36 ? 1U : 0U) << size;  // with the quoted ports and the rest of 8 bytes
    take_work(all);
  }
  for (unsigned words = 0; words < 16; ++words) {
    auto lies = error;
    lies[icmp::header_size] = static_cast<std::uint8_t>(0x40U | words);
    store_16(lies, 2, 0);
    store_16(lies, 2, checksum(lies));
    all.put_icmp(gateway, lies);
    ASSERT_LE(all.actions.size(), 1U);
    take_work(all);
  }
  good.expect_unharmed();
}

// The largest packet that IPv4 has room for, in a frame of 65,549 bytes, and one of 65,535 whose packet is shorter.
TEST(hostile_packets, the_largest_frames) {
  fake_vm all;
  bystander good(all);
  const auto largest = udp_packet({vm, 1}, {server, 53}, counting(65'507));
  ASSERT_EQ(largest.size(), 65'535U);
  all.put_packet(largest);
  ASSERT_EQ(all.payloads.size(), 1U);
  EXPECT_EQ(all.payloads[0], counting(65'507));
  take_work(all);
  auto frame = frame_of(udp_packet({vm, 1}, {server, 53}, text("small")));
  frame.resize(65'535, 0xaa);
  all.put(frame);
  ASSERT_EQ(all.payloads.size(), 1U);
  EXPECT_EQ(all.payloads[0], text("small"));
  take_work(all);
  for (const std::size_t size : {0UL, 1UL, 65'535UL})
    for (const auto fill : bytes{0x00, 0x45, 0xff}) {
      all.put(bytes(size, fill));
      const auto done = take_work(all);
      EXPECT_EQ(done.actions + done.frames, 0U);
    }
  good.expect_unharmed();
}

// One byte of a right frame is another one: the stack answers at most one frame, and every frame of its is right.
TEST(hostile_packets, any_byte_of_a_frame_may_be_wrong) {
  fake_vm all;
  bystander good(all);
  for (const auto& whole : whole_frames())
    for (std::size_t at = 0; at < whole.size(); ++at)
      for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
        auto wrong = whole;
        wrong[at] = static_cast<std::uint8_t>(wrong[at] ^ flip);
        all.put(wrong, unchecked);
        const auto done = take_work(all);
        ASSERT_LE(done.actions, 1U) << at;
        ASSERT_LE(done.frames, 1U) << at;
      }
  good.expect_unharmed();
}

// ---- Fragments

bytes fragment(std::uint16_t id, std::size_t offset, const bytes& payload, bool more) {
  return make_packet({.source = vm,
                      .destination = server,
                      .protocol = ipv4::protocol::udp,
                      .id = id,
                      .fragment_offset = static_cast<std::uint16_t>(offset),
                      .more_fragments = more},
                     payload);
}

TEST(hostile_packets, overlapping_fragments_take_their_datagram_with_them_and_no_other) {
  fake_vm all;
  bystander good(all);
  bytes datagram(udp::header_size + 3'000);
  udp::write_header(datagram, vm, server, 1, 53);
  const auto right =
      cut({.source = vm, .destination = server, .protocol = ipv4::protocol::udp, .id = 1}, datagram, 1'500);
  ASSERT_EQ(right.size(), 3U);
  all.put_packet(right[0]);
  // Another datagram: a piece within a piece, one across two, one with another end, one behind the end.
  const std::pair<std::size_t, std::size_t> second_pieces[] = {{8, 8}, {0, 64}, {56, 64}, {64, 8}};
  std::uint16_t id = 100;
  for (const auto& [offset, size] : second_pieces) {
    all.put_packet(fragment(++id, 0, bytes(64), true));
    all.put_packet(fragment(id, 128, bytes(8), false));
    all.put_packet(fragment(id, offset, bytes(size), offset != 64));
    all.put_packet(fragment(id, 64, bytes(64), true));  // would complete it
  }
  EXPECT_TRUE(all.actions.empty());
  EXPECT_TRUE(all.seen.empty());
  EXPECT_GE(all.net.counters().fragments_dropped, 3U);
  all.put_packet(right[2]);
  all.put_packet(right[1]);
  EXPECT_EQ(all.only<action::datagram>().asked.port, 53);
  take_work(all);
  good.expect_unharmed();
}

TEST(hostile_packets, a_fragment_beyond_65535_bytes_is_malformed) {
  fake_vm all;
  bystander good(all);
  for (const std::size_t offset : {65'528UL, 65'520UL, 65'000UL}) {
    all.put_packet(fragment(7, 0, bytes(64), true));
    all.put_packet(fragment(7, offset, bytes(1'400), false));
  }
  EXPECT_EQ(all.net.counters().malformed, 3U);
  EXPECT_TRUE(all.actions.empty());
  good.expect_unharmed();
}

// The smallest pieces: they cost more to keep than they hold.
TEST(hostile_packets, fragments_of_eight_bytes_are_bounded_and_forgotten) {
  fake_vm all;
  bystander good(all);
  for (std::uint32_t i = 0; i < 40'000; ++i) {
    const auto offset = 8 * (1 + i / 60 * 2);  // of 60 datagrams, each with a hole behind each piece
    all.put_packet(fragment(static_cast<std::uint16_t>(i % 60), offset, bytes(8), true));
    const auto done = take_work(all);
    ASSERT_EQ(done.actions + done.frames, 0U);
    ASSERT_LE(all.net.counters().fragments_waiting, fragment_limits{}.most_datagrams);
  }
  good.expect_unharmed();
  EXPECT_LE(all.net.wake_at(), all.now + fragment_limits{}.wait);
  all.pass(fragment_limits{}.wait);
  EXPECT_EQ(all.net.counters().fragments_waiting, 0U);
  EXPECT_TRUE(all.seen.empty()) << "no error is sent for what did not come";
  good.expect_unharmed();
}

// A TCP header in pieces of 8 bytes, so that no piece shows its flags: it counts as a whole, or not at all.
TEST(hostile_packets, a_tcp_header_in_pieces_is_one_segment) {
  fake_vm all;
  const auto whole = syn_packet();
  const bytes_view segment = bytes_view(whole).subspan(ipv4::header_size);
  const auto piece = [&](std::size_t at) {
    const auto size = std::min<std::size_t>(8, segment.size() - at);
    return make_packet({.source = vm,
                        .destination = server,
                        .protocol = ipv4::protocol::tcp,
                        .id = 9,
                        .fragment_offset = static_cast<std::uint16_t>(at),
                        .more_fragments = at + size < segment.size()},
                       to_bytes(segment.subspan(at, size)));
  };
  for (std::size_t at = 8; at < segment.size(); at += 8) all.put_packet(piece(at));
  EXPECT_TRUE(all.actions.empty());
  all.put_packet(piece(0));
  EXPECT_EQ(all.only<action::connect>().asked, (endpoint{server, 80}));
}

// A datagram in fragments arrives though a flood of others goes on, as long as its own pieces come together.
TEST(hostile_packets, a_flood_of_fragments_leaves_room_for_a_whole_datagram) {
  fake_vm all;
  bystander good(all);
  bytes datagram(udp::header_size + 8'000);
  udp::write_header(datagram, vm, server, 1, 53);
  std::uint16_t id = 0;
  for (std::uint16_t round = 0; round < 50; ++round) {
    std::vector<bytes> batch;
    const auto flood = [&](int count) {
      for (int i = 0; i < count; ++i) batch.push_back(frame_of(fragment(++id, 8, bytes(1'400), true)));
    };
    flood(200);
    for (const auto& packet : cut({.source = vm,
                                   .destination = server,
                                   .protocol = ipv4::protocol::udp,
                                   .id = static_cast<std::uint16_t>(60'000 + round)},
                                  datagram, 1'500)) {
      flood(5);
      batch.push_back(frame_of(packet));
    }
    put_batch(all, batch);
    ASSERT_EQ(count_of<action::datagram>(all.actions), 1U) << round;
    take_work(all);
  }
  good.expect_unharmed();
}

}  // namespace
}  // namespace netstack
