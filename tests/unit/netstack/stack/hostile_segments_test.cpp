// A VM whose TCP means harm: SYNs without an end, crumbs, windows of one byte, numbers that lie. Each test bounds
// memory, the frames that go out for those that come in, and shows another connection unharmed.
#include <algorithm>

#include "tests/unit/netstack/stack/hostile.hpp"

namespace netstack {
namespace {

tcp::segment parsed(const sent_frame& frame) {
  const auto packet = frame.packet();
  auto s = tcp::parse(packet, tcp::check::skip).value_or(tcp::segment{});
  s.payload = {};
  return s;
}

std::size_t payload_of(const sent_frame& frame) {
  const auto packet = frame.packet();
  return tcp::parse(packet, tcp::check::skip).value_or(tcp::segment{}).payload.size();
}

// ---- Opening

TEST(hostile_segments, a_flood_of_syns_is_not_answered_and_holds_no_buffers) {
  fake_vm all;
  bystander good(all);
  const auto before = all.net.counters().tcp_memory;
  const auto wake = all.net.wake_at();
  tcp::segment syn;
  syn.flags.syn = true;
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    all.put_tcp({vm, static_cast<std::uint16_t>(1 + i)}, {{0x0a00'0000 + i}, 80}, syn);
    const auto done = take_work(all);
    ASSERT_EQ(done.frames, 0U) << "the host has not answered";
    ASSERT_LE(done.actions, 2U) << "a connect, and the end of the oldest one";
  }
  const auto counted = all.net.counters();
  EXPECT_LE(counted.flows, stack_limits{}.half_open + 1);
  EXPECT_EQ(counted.half_open_evicted, 5'000 - stack_limits{}.half_open);
  EXPECT_EQ(counted.tcp_memory, before);
  EXPECT_EQ(all.net.wake_at(), wake) << "a connect in progress is the host's to time out";
  good.expect_unharmed();
}

TEST(hostile_segments, syn_acks_without_an_answer_end_within_half_a_minute) {
  fake_vm all;
  bystander good(all);
  tcp::segment syn;
  syn.flags.syn = true;
  for (std::uint16_t i = 0; i < 3'000; ++i) {
    all.put_tcp({vm, static_cast<std::uint16_t>(1 + i)}, {server, 80}, syn);
    for (const auto& a : std::exchange(all.actions, {}))
      if (const auto* c = std::get_if<action::connect>(&a)) all.net.connected(c->flow, all.now);
    all.turn();
    ASSERT_EQ(take_work(all).frames, 1U);
  }
  EXPECT_LE(all.net.counters().half_open, stack_limits{}.half_open);
  good.expect_unharmed();
  std::size_t repeated = 0;
  for (int second = 0; second < 32; ++second) {
    all.pass(1s);
    repeated += all.seen.size();
    take_work(all);
  }
  EXPECT_EQ(repeated, 4 * stack_limits{}.half_open) << "at 1, 3, 7 and 15 s";
  EXPECT_EQ(all.net.counters().half_open, 0U);
  EXPECT_EQ(all.net.counters().flows, 1U);
  good.expect_unharmed();
}

// ---- Crumbs

TEST(hostile_segments, one_byte_segments_cost_one_acknowledgement_a_batch) {
  fake_vm all;
  bystander good(all);
  tcp_client client{all};
  const auto id = client.connect();
  std::size_t frames = 0, taken = 0;
  for (int batch = 0; batch < 100; ++batch) {
    std::vector<bytes> crumbs;
    for (int i = 0; i < 64; ++i) {
      tcp::segment s;
      s.flags.ack = true;
      s.number = client.next;
      s.acknowledged = client.expected;
      s.window = client.window;
      crumbs.push_back(frame_of(tcp_packet(client.own, client.to, s, {static_cast<std::uint8_t>(i)})));
      client.next += 1;
    }
    put_batch(all, crumbs);
    taken += take_all(all, id).size();
    all.turn();
    frames += take_work(all).frames;
  }
  EXPECT_EQ(taken, 6'400U);
  EXPECT_LE(frames, 101U);
  EXPECT_LE(all.net.counters().tcp_memory, std::size_t{64} << 10U);
  good.expect_unharmed();
}

// Every second byte: each one begins an interval of its own.
TEST(hostile_segments, one_byte_segments_with_holes_hold_a_window_at_most) {
  fake_vm all;
  bystander good(all);
  tcp_client client{all};
  const auto id = client.connect();
  const auto begin = client.next;
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    client.next = begin + 1 + 2 * i;
    client.data({static_cast<std::uint8_t>(2 * i + 1)});
    ASSERT_LE(take_work(all).frames, 1U);
  }
  EXPECT_LE(all.net.counters().tcp_memory, std::size_t{256} << 10U);
  EXPECT_TRUE(all.net.arrived(id).empty());
  good.expect_unharmed();
  // What it has of the stream is right: the whole follows, and what was kept does not come twice.
  client.next = begin;
  bytes stream(2'000);
  for (std::size_t i = 0; i < stream.size(); ++i) stream[i] = static_cast<std::uint8_t>(i);
  for (std::size_t at = 0; at < stream.size(); at += 1'000)
    client.data(
        {stream.begin() + static_cast<std::ptrdiff_t>(at), stream.begin() + static_cast<std::ptrdiff_t>(at) + 1'000});
  EXPECT_EQ(take_all(all, id), stream);
  good.expect_unharmed();
}

// ---- Windows of one byte

// The VM takes a byte at a time: it gets one for each acknowledgement, and the rest of the link is others'.
TEST(hostile_segments, a_window_of_one_byte_gets_one_byte_for_each_acknowledgement) {
  fake_vm all;
  bystander good(all);
  tcp_client client{all};
  client.shift.reset();
  client.window = 1;
  const auto id = client.connect();
  const auto stream = counting(2'000);
  write(all, id, stream);
  all.turn();
  bytes got;
  for (int i = 0; i < 500; ++i) {
    ASSERT_LE(all.seen.size(), 1U);
    for (const auto& frame : all.seen) ASSERT_LE(payload_of(frame), 1U) << "beyond the window";
    const auto more = client.receive();
    got.insert(got.end(), more.begin(), more.end());
    client.ack();
    if (i % 100 == 0) {
      const auto kept = std::exchange(all.seen, {});
      good.expect_unharmed();
      all.seen = kept;
    }
  }
  ASSERT_EQ(got.size(), 500U);
  EXPECT_TRUE(std::ranges::equal(got, bytes_view(stream).first(500)));
}

// A window that was large and shrinks to a byte is probed by the persist timer alone, and wakes nothing else.
TEST(hostile_segments, a_window_that_shrinks_to_a_byte_is_probed_and_opens_again) {
  fake_vm all;
  bystander good(all);
  tcp_client client{all};
  client.shift.reset();
  const auto id = client.connect();
  client.window = 1;
  client.ack();
  take_work(all);
  const auto stream = counting(20'000);
  std::size_t written = write(all, id, stream);
  all.turn();
  std::size_t frames = 0, wakes = 0;
  bytes got;
  const auto end = all.now + 60s;
  for (; all.net.wake_at() <= end; ++wakes) {
    all.pass(all.net.wake_at() - all.now);
    frames += all.seen.size();
    const auto more = client.receive();
    got.insert(got.end(), more.begin(), more.end());
    all.seen.clear();
    client.ack();  // takes the byte, and gives room for one
    frames += all.seen.size();
  }
  EXPECT_LE(frames, 2 * 60 * 5U) << "at most five probes a second";
  EXPECT_LE(wakes, 60 * 8U);
  EXPECT_LE(got.size(), 60 * 5U + 1);
  good.expect_unharmed();
  client.window = 0xffff;
  client.ack();
  for (int turn = 0; turn < 10 && got.size() < stream.size(); ++turn) {
    const auto more = client.receive();
    got.insert(got.end(), more.begin(), more.end());
    client.ack();
    written += write(all, id, bytes_view(stream).subspan(written));
    all.turn();
  }
  EXPECT_EQ(got, stream) << "at once, and whole";
}

// The other direction: an owner that takes a byte at a time announces no crumbs.
TEST(hostile_segments, an_owner_that_takes_a_byte_at_a_time_announces_whole_segments) {
  stack_settings settings;
  settings.limits.receive_memory = std::size_t{32} << 10U;
  constexpr std::int32_t window = 16'384;  // the least one, which is what a flow's share makes here
  constexpr unsigned shift = 3;            // for 256 KiB
  fake_vm all(settings);
  tcp_client client{all};
  const auto id = client.connect();
  const auto begin = client.next;
  auto edge = window;
  while (client.next - begin < window)
    client.data(bytes(static_cast<std::size_t>(std::min(1'460, window - (client.next - begin)))));
  const auto note = [&] {
    for (const auto& frame : std::exchange(all.seen, {})) {
      const auto s = parsed(frame);
      const auto right = s.acknowledged - begin + (static_cast<std::int32_t>(s.window << shift));
      EXPECT_TRUE(right == edge || right - edge >= 1'460) << right - edge;
      edge = std::max(edge, right);
    }
  };
  all.seen.clear();
  std::size_t updates = 0;
  for (int i = 0; i < 8'000; ++i) {
    all.net.consumed(id, 1, all.now);
    all.turn();
    updates += all.seen.size();
    note();
  }
  EXPECT_GE(updates, 1U);
  EXPECT_LE(updates, 6U);
}

// ---- Numbers that lie

TEST(hostile_segments, acknowledgements_of_the_future_acknowledge_nothing) {
  fake_vm all;
  bystander good(all);
  tcp_client client{all};
  const auto id = client.connect();
  const auto stream = counting(3'000);
  write(all, id, stream);
  all.turn();
  const auto flight = std::exchange(all.seen, {});  // 3,000 bytes are under way
  const auto right = client.expected;
  std::size_t frames = 0;
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    client.expected = right + 3'001 + i * 2'000'000U;
    tcp::segment s;
    s.flags.ack = true;
    s.number = client.next;
    s.acknowledged = client.expected;
    s.window = client.window;
    all.put_tcp(client.own, client.to, s, text("bad"));
    frames += take_work(all).frames;
    ASSERT_TRUE(all.net.arrived(id).empty());
  }
  EXPECT_LE(frames, 10U) << "challenges are bounded in a second";
  EXPECT_EQ(all.net.counters().flows, 2U);
  good.expect_unharmed();
  // Nothing was taken as delivered: it comes again, and then all of it is acknowledged.
  client.expected = right;
  all.pass(250ms);
  EXPECT_FALSE(all.seen.empty());
  all.seen.insert(all.seen.begin(), flight.begin(), flight.end());
  EXPECT_EQ(client.receive(), stream);
  client.data(text("good"));
  EXPECT_EQ(take_all(all, id), text("good"));
  all.seen.clear();
  all.pass(5s);
  EXPECT_TRUE(all.seen.empty());
}

TEST(hostile_segments, resets_count_at_the_next_number_alone) {
  fake_vm all;
  bystander good(all);
  tcp_client client{all};
  const auto id = client.connect();
  const auto rst_at = [&](std::uint32_t offset) {
    tcp::segment s;
    s.flags.rst = true;
    s.number = client.next + offset;
    all.put_tcp(client.own, client.to, s);
  };
  // Outside of the window: not a word.
  for (const std::uint32_t offset : {0xffff'ffffU, 0xffff'0000U, 0x7fff'ffffU, 0x8000'0000U, 0x0010'0000U}) {
    rst_at(offset);
    ASSERT_TRUE(all.seen.empty()) << offset;
    ASSERT_TRUE(all.actions.empty()) << offset;
  }
  // In the window: an acknowledgement, which makes a real peer repeat its RST with the right number (RFC 5961, 3.2).
  std::size_t challenges = 0;
  for (std::uint32_t offset = 1; offset < 60'000; offset += 7) {
    rst_at(offset);
    for (const auto& frame : std::exchange(all.seen, {})) {
      const auto s = parsed(frame);
      EXPECT_FALSE(s.flags.rst);
      EXPECT_EQ(s.acknowledged, client.next);
      ++challenges;
    }
    ASSERT_TRUE(all.actions.empty()) << offset;
  }
  EXPECT_EQ(challenges, 10U);
  expect_alive(all, client, id);
  good.expect_unharmed();
  // At the next number: the end, without an answer.
  rst_at(0);
  EXPECT_EQ(all.only<action::reset>().flow, id);
  EXPECT_TRUE(all.seen.empty());
  EXPECT_EQ(all.net.counters().flows, 1U);
  good.expect_unharmed();
}

TEST(hostile_segments, a_syn_within_a_connection_is_challenged_and_changes_nothing) {
  fake_vm all;
  bystander good(all);
  tcp_client client{all};
  const auto id = client.connect();
  std::size_t frames = 0;
  for (std::uint32_t i = 0; i < 500; ++i) {
    tcp::segment s;
    s.flags.syn = true;
    s.number = client.next + i * 100'000U;
    all.put_tcp(client.own, client.to, s);
    for (const auto& frame : all.seen) EXPECT_FALSE(parsed(frame).flags.syn);
    ASSERT_TRUE(all.actions.empty());
    frames += take_work(all).frames;
  }
  EXPECT_EQ(frames, 10U);
  expect_alive(all, client, id);
  good.expect_unharmed();
}

TEST(hostile_segments, segments_of_no_connection_are_refused_at_a_bounded_rate) {
  fake_vm all;
  bystander good(all);
  std::size_t frames = 0;
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    tcp::segment s;
    s.flags.ack = true;
    s.number = {i};
    s.acknowledged = {i * 7};
    all.put_tcp({vm, static_cast<std::uint16_t>(i)}, {server, 443}, s, text("who?"));
    for (const auto& frame : all.seen) {
      EXPECT_TRUE(parsed(frame).flags.rst);
      EXPECT_EQ(parsed(frame).number.value, i * 7);
    }
    frames += take_work(all).frames;
  }
  EXPECT_EQ(frames, stack_limits{}.errors_a_second);
  EXPECT_EQ(all.net.counters().flows, 1U);
  good.expect_unharmed();
}

// Every combination of flags, against a port without a connection and against one with it.
TEST(hostile_segments, every_combination_of_flags_and_a_reset_answers_no_reset) {
  fake_vm all;
  bystander good(all);
  tcp_client client{all};
  const auto id = client.connect();
  for (unsigned bits = 0; bits < 256; ++bits) {
    tcp::segment s;
    s.flags = {.fin = (bits & 1U) != 0,
               .syn = (bits & 2U) != 0,
               .rst = (bits & 4U) != 0,
               .psh = (bits & 8U) != 0,
               .ack = (bits & 16U) != 0,
               .urg = (bits & 32U) != 0,
               .ece = (bits & 64U) != 0,
               .cwr = (bits & 128U) != 0};
    s.number = client.next + 0x0100'0000U;  // beyond the window
    all.put_tcp({vm, 7'777}, {gateway, 9}, s, text("x"));
    EXPECT_EQ(all.seen.size(), s.flags.rst ? 0U : 1U) << bits;
    take_work(all);
    all.put_tcp(client.own, client.to, s, text("x"));
    for (const auto& frame : all.seen) EXPECT_FALSE(parsed(frame).flags.rst) << bits;
    EXPECT_TRUE(all.actions.empty()) << bits;
    take_work(all);
  }
  expect_alive(all, client, id);
  good.expect_unharmed();
}

}  // namespace
}  // namespace netstack
