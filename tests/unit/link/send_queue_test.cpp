#include "link/send_queue.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/link/frames.hpp"

namespace links {
namespace {

// What a stream would get that takes at most `most` bytes.
std::size_t write_some(send_queue& queue, bytes& stream, std::size_t most) {
  std::size_t taken = 0;
  for (const auto& buffer : queue.to_write()) {
    const auto count = std::min(most - taken, buffer.iov_len);
    const auto* from = static_cast<const std::uint8_t*>(buffer.iov_base);
    append(stream, {from, count});
    taken += count;
    if (taken == most) break;
  }
  queue.written(taken);
  return taken;
}

void add(send_queue& queue, const bytes& frame, std::size_t pieces = 1) {
  std::vector<bytes_view> parts;
  const auto each = std::max<std::size_t>(1, frame.size() / pieces);
  for (bytes_view rest = frame; !rest.empty();) {
    const auto count = parts.size() + 1 == pieces ? rest.size() : std::min(each, rest.size());
    parts.push_back(rest.first(count));
    rest = rest.subspan(count);
  }
  queue.add(make_prefix(framing::stdio, frame.size()), parts);
}

TEST(send_queue, a_turn_is_one_list_of_buffers) {
  send_queue queue;
  const auto a = pattern(100, 1), b = pattern(60, 2);
  add(queue, a, 3);
  add(queue, b);
  EXPECT_EQ(queue.to_write().size(), 6U);
  bytes stream, expected;
  append_frame(expected, framing::stdio, a);
  append_frame(expected, framing::stdio, b);
  write_some(queue, stream, 1000);
  EXPECT_EQ(queue.keep_rest(), 0U);
  EXPECT_EQ(stream, expected);
  EXPECT_TRUE(queue.empty());
}

TEST(send_queue, a_whole_turn_of_large_frames_is_kept_when_the_stream_takes_nothing) {
  send_queue queue;
  bytes stream, expected;
  const auto frame = pattern(65'535, 5);
  while (!queue.is_full()) {
    add(queue, frame, 3);
    append_frame(expected, framing::stdio, frame);
  }
  EXPECT_EQ(queue.keep_rest(), 0U);
  EXPECT_EQ(queue.backlog(), expected.size());
  write_some(queue, stream, expected.size());
  EXPECT_EQ(queue.keep_rest(), 0U);
  EXPECT_EQ(queue.backlog(), 0U);
  EXPECT_EQ(stream, expected);
}

TEST(send_queue, the_rest_of_a_frame_outlives_its_memory) {
  for (std::size_t cut = 0; cut <= 102; ++cut) {
    send_queue queue;
    bytes stream, expected;
    {
      auto frame = pattern(100, 3);
      append_frame(expected, framing::stdio, frame);
      add(queue, frame, 3);
      write_some(queue, stream, cut);
      queue.keep_rest();
      std::ranges::fill(frame, std::uint8_t{0});
    }
    EXPECT_EQ(queue.backlog(), 102 - cut);
    write_some(queue, stream, 1000);
    queue.keep_rest();
    EXPECT_EQ(stream, expected);
  }
}

TEST(send_queue, whole_frames_beyond_the_bound_are_dropped_and_counted) {
  send_queue queue(1000);
  const auto frame = pattern(98, 4);
  for (int i = 0; i < 50; ++i) add(queue, frame);
  EXPECT_EQ(queue.keep_rest(), 40U);
  EXPECT_EQ(queue.backlog(), 1000U);
  add(queue, frame);
  EXPECT_EQ(queue.keep_rest(), 1U);
  bytes stream;
  write_some(queue, stream, 100'000);
  queue.keep_rest();
  EXPECT_EQ(stream.size(), 1000U);
}

TEST(send_queue, a_partly_written_frame_is_kept_whatever_its_size) {
  send_queue queue(10);
  const auto frame = pattern(60'000, 5);
  add(queue, frame);
  bytes stream, expected;
  append_frame(expected, framing::stdio, frame);
  write_some(queue, stream, 1);
  EXPECT_EQ(queue.keep_rest(), 0U);
  write_some(queue, stream, 100'000);
  EXPECT_EQ(stream, expected);
}

TEST(send_queue, is_full_before_the_kernels_limit) {
  send_queue queue;
  const auto frame = pattern(80, 6);
  std::size_t frames = 0;
  for (; !queue.is_full(); ++frames) add(queue, frame, 8);
  EXPECT_LE(queue.to_write().size(), send_queue::most_buffers);
  EXPECT_GT(frames, 100U);
  send_queue large;
  const auto big = pattern(65'535, 7);
  for (frames = 0; !large.is_full(); ++frames) add(large, big);
  EXPECT_EQ(frames, 4U) << "256 KiB";
}

// A peer that takes a byte now and then must not make the queue move its bytes each time.
TEST(send_queue, a_stream_that_takes_a_byte_at_a_time_gets_all_within_the_bound) {
  send_queue queue(3'000);
  bytes stream, expected;
  for (int i = 0; i < 10; ++i) {
    const auto frame = pattern(200, static_cast<std::uint32_t>(i));
    append_frame(expected, framing::stdio, frame);
    add(queue, frame);
    write_some(queue, stream, 1);
    EXPECT_EQ(queue.keep_rest(), 0U);
  }
  while (queue.backlog() > 0) {
    ASSERT_EQ(write_some(queue, stream, 1), 1U);
    queue.keep_rest();
    ASSERT_EQ(queue.backlog() + stream.size(), expected.size());
  }
  EXPECT_EQ(stream, expected);
}

TEST(send_queue, without_a_backlog_only_what_has_begun_is_kept) {
  send_queue queue(0);
  bytes stream, expected;
  const auto first = pattern(100, 1), second = pattern(100, 2);
  append_frame(expected, framing::stdio, first);
  add(queue, first);
  add(queue, second);
  write_some(queue, stream, 50);
  EXPECT_EQ(queue.keep_rest(), 1U);
  EXPECT_EQ(queue.backlog(), 52U);
  write_some(queue, stream, 1'000);
  EXPECT_EQ(queue.keep_rest(), 0U);
  EXPECT_EQ(stream, expected);
  EXPECT_EQ(queue.backlog(), 0U);
}

TEST(send_queue, empty_parts_and_empty_frames_are_frames) {
  send_queue queue;
  const bytes frame = pattern(60, 1);
  const std::array<bytes_view, 4> parts{bytes_view(), bytes_view(frame).first(10), bytes_view(),
                                        bytes_view(frame).subspan(10)};
  queue.add(make_prefix(framing::qemu, 60), parts);
  queue.add(make_prefix(framing::qemu, 0), {});
  bytes stream, expected;
  append_frame(expected, framing::qemu, frame);
  append_frame(expected, framing::qemu, {});
  write_some(queue, stream, 1'000);
  EXPECT_EQ(queue.keep_rest(), 0U);
  EXPECT_EQ(stream, expected);
}

// Whatever the stream takes at a time, what arrives is a sequence of whole frames: those that were not dropped.
TEST(send_queue, any_stream_gets_whole_frames_in_order) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const auto upto = [&random](std::size_t most) {
      return std::uniform_int_distribution<std::size_t>(0, most)(random);
    };
    send_queue queue(upto(5000));
    bytes stream;
    std::size_t sent = 0, dropped = 0;
    for (int turn = 0; turn < 100; ++turn) {
      std::vector<bytes> alive;
      alive.reserve(10);
      for (auto n = upto(10); n > 0 && !queue.is_full(); --n) {
        alive.push_back(pattern(14 + upto(1500), static_cast<std::uint32_t>(sent++)));
        add(queue, alive.back(), 1 + upto(7));
      }
      write_some(queue, stream, upto(8000));
      dropped += queue.keep_rest();
      ASSERT_LE(queue.backlog(), 5000U + 1600U);
    }
    while (queue.backlog() > 0) {
      write_some(queue, stream, 1 + upto(3000));
      queue.keep_rest();
    }
    frame_reader reader(framing::stdio, stream.size() + 1);
    std::ranges::copy(stream, reader.room().begin());
    reader.added(stream.size());
    std::size_t arrived = 0, number = 0;
    while (const auto next = *reader.next()) {
      while (number < sent && copy(next->frame) != pattern(next->frame.size(), static_cast<std::uint32_t>(number)))
        ++number;
      ASSERT_LT(number++, sent) << "a frame that was not sent, or out of order";
      ++arrived;
    }
    EXPECT_EQ(arrived + dropped, sent);
  }
}

}  // namespace
}  // namespace links
