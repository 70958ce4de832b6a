#include "link/framing.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/link/frames.hpp"

namespace links {
namespace {

constexpr std::array all_framings{framing::stdio, framing::qemu, framing::virtio};

// Gives `stream` to the reader in pieces and returns the frames, copied.
std::vector<bytes> read_in_pieces(frame_reader& reader, bytes_view stream, std::size_t piece) {
  std::vector<bytes> frames;
  while (!stream.empty()) {
    const auto room = reader.room();
    const auto count = std::min({piece, room.size(), stream.size()});
    std::ranges::copy(stream.first(count), room.begin());
    reader.added(count);
    stream = stream.subspan(count);
    while (true) {
      const auto next = reader.next();
      if (!next) throw std::runtime_error(next.error().message());
      if (!*next) break;
      frames.push_back(copy((*next)->frame));
    }
  }
  return frames;
}

TEST(framing, prefixes_are_those_of_the_peers) {
  const auto stdio = make_prefix(framing::stdio, 0x1234), qemu = make_prefix(framing::qemu, 0x12345);
  EXPECT_THAT(std::vector(stdio.bytes.begin(), stdio.bytes.begin() + 2), testing::ElementsAre(0x34, 0x12));
  EXPECT_EQ(stdio.size, 2U);
  EXPECT_THAT(std::vector(qemu.bytes.begin(), qemu.bytes.begin() + 4), testing::ElementsAre(0, 1, 0x23, 0x45));
  EXPECT_EQ(qemu.size, 4U);
}

TEST(framing, frames_come_out_whole_in_whatever_pieces_they_arrive) {
  for (const auto how : all_framings) {
    bytes stream;
    std::vector<bytes> sent;
    for (const std::size_t size : {0UL, 1UL, 14UL, 60UL, 1514UL, 9000UL, largest_frame(how), 60UL}) {
      sent.push_back(pattern(size, static_cast<std::uint32_t>(size)));
      append_frame(stream, how, sent.back());
    }
    for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 1000UL, 65'536UL, 1UL << 20U}) {
      frame_reader reader(how);
      EXPECT_EQ(read_in_pieces(reader, stream, piece), sent) << "pieces of " << piece;
    }
  }
}

TEST(framing, a_small_buffer_still_holds_the_largest_frame) {
  for (const auto how : all_framings) {
    frame_reader reader(how, 1);
    bytes stream;
    for (int i = 0; i < 5; ++i) append_frame(stream, how, pattern(largest_frame(how), 5));
    EXPECT_EQ(read_in_pieces(reader, stream, 1U << 20U).size(), 5U);
  }
}

TEST(framing, a_frame_lies_where_it_was_read) {
  frame_reader reader(framing::qemu);
  bytes stream;
  append_frame(stream, framing::qemu, pattern(100, 1));
  const auto room = reader.room();
  std::ranges::copy(stream, room.begin());
  reader.added(stream.size());
  EXPECT_EQ((*reader.next())->frame.data(), room.data() + 4);
}

TEST(framing, a_virtio_header_precedes_its_frame) {
  frame_reader reader(framing::virtio);
  const auto whole = pattern(virtio_header_size + 60, 9);
  bytes stream;
  append_frame(stream, framing::qemu, whole);
  std::ranges::copy(stream, reader.room().begin());
  reader.added(stream.size());
  const auto next = reader.next();
  ASSERT_TRUE(next && *next);
  EXPECT_EQ(copy((*next)->header), bytes(whole.begin(), whole.begin() + 10));
  EXPECT_EQ(copy((*next)->frame), bytes(whole.begin() + 10, whole.end()));
}

TEST(framing, an_invalid_length_is_an_error) {
  struct lie {
    framing how;
    std::array<std::uint8_t, 4> prefix;
  };
  for (const auto& [how, prefix] : {lie{framing::qemu, {0xff, 0xff, 0xff, 0xff}}, lie{framing::qemu, {0, 1, 0x10, 1}},
                                    lie{framing::virtio, {0, 0, 0, 9}}, lie{framing::virtio, {0, 1, 0x10, 11}}}) {
    frame_reader reader(how);
    std::ranges::copy(prefix, reader.room().begin());
    reader.added(prefix.size());
    EXPECT_EQ(reader.next().error().code, std::errc::protocol_error);
    EXPECT_FALSE(reader.next()) << "it stays an error";
  }
}

TEST(framing, the_framing_changes_after_a_frame) {
  frame_reader reader(framing::stdio);
  bytes stream;
  append_frame(stream, framing::stdio, pattern(60, 1));
  append_frame(stream, framing::virtio, pattern(70, 2));
  std::ranges::copy(stream, reader.room().begin());
  reader.added(stream.size());
  EXPECT_EQ((*reader.next())->frame.size(), 60U);
  reader.switch_to(framing::virtio);
  EXPECT_EQ((*reader.next())->frame.size(), 70U);
  EXPECT_FALSE(*reader.next());
}

}  // namespace
}  // namespace links
