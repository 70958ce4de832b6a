#include "link/stream_link.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <numeric>

#include "link/virtio_net.hpp"
#include "tests/unit/link/frames.hpp"

namespace links {
namespace {

struct socket_pair {
  base::unique_fd a, b;
  socket_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::runtime_error("socketpair");
    a.reset(ends[0]);
    b.reset(ends[1]);
  }
};

// Two ends of one link.
struct pair_of_links {
  explicit pair_of_links(const stream_options& first = {}, const stream_options& second = {})
      : pair_of_links(socket_pair(), first, second) {}
  pair_of_links(socket_pair sockets, const stream_options& first, const stream_options& second)
      : vm(std::move(sockets.a), first), host(std::move(sockets.b), second) {}
  stream_link vm, host;

  // Lets both ends read and answer until nothing moves.
  void settle() {
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(vm.flush() && host.flush() && vm.read() && host.read());
    }
  }
};

void send_one(stream_link& from, const bytes& frame, bytes_view header = {}) {
  const std::array<bytes_view, 1> parts{frame};
  ASSERT_TRUE(from.send(header, parts));
  ASSERT_TRUE(from.flush());
}

TEST(stream_link, frames_of_all_sizes_cross_both_ways) {
  pair_of_links both;
  for (const std::size_t size : {0UL, 1UL, 14UL, 1514UL, 65'535UL}) {
    for (auto [from, to] : {std::pair{&both.vm, &both.host}, std::pair{&both.host, &both.vm}}) {
      const auto frame = pattern(size, 1);
      send_one(*from, frame);
      ASSERT_EQ(*to->read(), 1U);
      EXPECT_EQ(copy(to->frames()[0].frame), frame);
      EXPECT_TRUE(to->frames()[0].header.empty());
    }
  }
}

TEST(stream_link, a_turn_is_one_write_and_one_read) {
  pair_of_links both;
  const auto frame = pattern(100, 1);
  const std::array<bytes_view, 2> parts{bytes_view(frame).first(54), bytes_view(frame).subspan(54)};
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(both.host.send({}, parts));
  ASSERT_TRUE(both.host.flush());
  EXPECT_EQ(both.host.counters().writes, 1U);
  ASSERT_EQ(*both.vm.read(), 300U);
  EXPECT_EQ(both.vm.counters().reads, 1U);
  EXPECT_EQ(both.vm.counters().bytes_in, 30'000U);
  EXPECT_EQ(copy(both.vm.frames()[299].frame), frame);
}

TEST(stream_link, an_empty_socket_is_not_an_error_but_end_of_file_is) {
  socket_pair sockets;
  stream_link link(std::move(sockets.a), {});
  EXPECT_EQ(*link.read(), 0U);
  sockets.b.reset();
  EXPECT_EQ(link.read().error().code, std::errc::connection_aborted);
  const auto frame = pattern(60, 1);
  const std::array<bytes_view, 1> parts{frame};
  ASSERT_TRUE(link.send({}, parts));
  EXPECT_EQ(link.flush().error().code, std::errc::broken_pipe);
}

TEST(stream_link, a_frame_that_is_too_long_is_counted) {
  pair_of_links both;
  const auto frame = pattern(65'536, 1);
  send_one(both.vm, frame);
  EXPECT_EQ(both.vm.counters().oversized, 1U);
  send_one(both.vm, pattern(60, 2));
  ASSERT_EQ(*both.host.read(), 1U);
  EXPECT_EQ(both.host.frames()[0].frame.size(), 60U);
}

TEST(stream_link, a_peer_that_does_not_read_costs_a_bounded_backlog) {
  socket_pair sockets;
  stream_link link(std::move(sockets.a), {.backlog_bytes = 100'000});
  const auto frame = pattern(1500, 1);
  const std::array<bytes_view, 1> parts{frame};
  for (int turn = 0; turn < 200; ++turn) {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(link.send({}, parts));
    ASSERT_TRUE(link.flush());
  }
  EXPECT_TRUE(link.is_blocked());
  EXPECT_GT(link.counters().dropped, 100U);
  // It goes on when the peer reads again, with whole frames.
  stream_link peer(std::move(sockets.b), {});
  std::size_t arrived = 0;
  while (arrived == 0 || link.is_blocked()) {
    arrived += *peer.read();
    ASSERT_TRUE(link.flush());
  }
  while (const auto more = *peer.read()) arrived += more;
  EXPECT_EQ(arrived + link.counters().dropped, 20'000U);
  EXPECT_EQ(peer.counters().bytes_in, arrived * 1500);
}

TEST(stream_link, with_offload_at_both_ends_headers_cross) {
  pair_of_links both({.offload = offload_role::vm}, {.offload = offload_role::host});
  EXPECT_FALSE(both.vm.takes_offload() || both.host.takes_offload());
  both.settle();
  ASSERT_TRUE(both.vm.takes_offload() && both.host.takes_offload());
  const auto header = virtio_net::to_bytes({.needs_checksum = true, .checksum_start = 34, .checksum_offset = 16});
  const auto frame = pattern(65'549, 1);  // an IPv4 packet of 65,535 bytes
  for (auto [from, to] : {std::pair{&both.vm, &both.host}, std::pair{&both.host, &both.vm}}) {
    send_one(*from, frame, header);
    ASSERT_EQ(*to->read(), 1U);
    EXPECT_EQ(copy(to->frames()[0].header), bytes(header.begin(), header.end()));
    EXPECT_EQ(copy(to->frames()[0].frame), frame);
    send_one(*from, frame);
    ASSERT_EQ(*to->read(), 1U);
    EXPECT_EQ(copy(to->frames()[0].header), bytes(virtio_header_size));
  }
}

// A header is built for each frame and is gone when the turn's frames are written.
TEST(stream_link, a_header_is_copied) {
  pair_of_links both({.offload = offload_role::vm}, {.offload = offload_role::host});
  both.settle();
  const auto first = pattern(60, 1), second = pattern(60, 2);
  const auto original = virtio_net::to_bytes({.needs_checksum = true, .checksum_start = 34, .checksum_offset = 16});
  auto header = original;
  for (const auto* frame : {&first, &second}) {
    const std::array<bytes_view, 1> parts{*frame};
    ASSERT_TRUE(both.host.send(header, parts));
    header.fill(0xee);
    if (frame == &first) header = original;
  }
  ASSERT_TRUE(both.host.flush());
  ASSERT_EQ(*both.vm.read(), 2U);
  for (const auto& f : both.vm.frames()) EXPECT_EQ(copy(f.header), bytes(original.begin(), original.end()));
}

TEST(stream_link, plain_frames_cross_while_the_ends_agree) {
  pair_of_links both({.offload = offload_role::vm}, {.offload = offload_role::host});
  std::uint32_t at_host = 0, at_vm = 0;
  for (std::uint32_t i = 0; i < 20; ++i) {
    send_one(both.vm, pattern(100 + i, i));
    send_one(both.host, pattern(200 + i, i));
    if (i % 3 == 0) continue;
    const auto check = [](stream_link& end, std::size_t size, std::uint32_t& arrived) {
      ASSERT_TRUE(end.read());
      for (const auto& f : end.frames()) {
        EXPECT_EQ(copy(f.frame), pattern(size + arrived, arrived));
        ++arrived;
      }
    };
    check(both.host, 100, at_host);
    check(both.vm, 200, at_vm);
  }
  EXPECT_EQ(at_host, 20U);
  EXPECT_EQ(at_vm, 20U);
  EXPECT_TRUE(both.vm.takes_offload() && both.host.takes_offload());
}

TEST(stream_link, an_older_peer_gets_plain_frames) {
  pair_of_links older_host({.offload = offload_role::vm}, {});
  older_host.settle();
  EXPECT_FALSE(older_host.vm.takes_offload());
  const auto header = virtio_net::to_bytes({});
  send_one(older_host.vm, pattern(60, 1), header);
  ASSERT_EQ(*older_host.host.read(), 1U);
  EXPECT_EQ(copy(older_host.host.frames()[0].frame), pattern(60, 1));
  pair_of_links older_vm({}, {.offload = offload_role::host});
  older_vm.settle();
  EXPECT_FALSE(older_vm.host.takes_offload());
  EXPECT_EQ(older_vm.vm.counters().frames_in, 0U) << "the host's end says nothing by itself";
}

// 4 KB of send buffer, a reader of a few bytes at a time, frames of 14 to 65,535 bytes: all arrive unharmed.
TEST(stream_link, a_tiny_send_buffer_harms_no_frame) {
  socket_pair sockets;
  const int small = 4096;
  stream_link link(base::unique_fd(::fcntl(sockets.a.get(), F_DUPFD_CLOEXEC, 0)), {});
  ::setsockopt(link.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  frame_reader reader(framing::stdio);
  std::uint32_t sent = 0, arrived = 0;
  const auto size_of_frame = [](std::uint32_t i) { return 14 + (i * 2654435761U) % 65'522; };
  std::vector<std::size_t> piece{1, 13, 4096, 2, 100'000};
  for (std::uint32_t turn = 0; arrived < 1000; ++turn) {
    if (!link.is_blocked() && sent < 1000) {
      const auto frame = pattern(size_of_frame(sent), sent);
      const std::array<bytes_view, 2> parts{bytes_view(frame).first(14), bytes_view(frame).subspan(14)};
      ASSERT_TRUE(link.send({}, parts));
      ASSERT_TRUE(link.flush());
      ++sent;
    }
    ASSERT_TRUE(link.flush());
    const auto room = reader.room();
    const auto got =
        ::recv(sockets.b.get(), room.data(), std::min(room.size(), piece[turn % piece.size()]), MSG_DONTWAIT);
    if (got > 0) reader.added(static_cast<std::size_t>(got));
    while (const auto next = *reader.next()) {
      ASSERT_EQ(copy(next->frame), pattern(size_of_frame(arrived), arrived));
      ++arrived;
    }
  }
  EXPECT_EQ(link.counters().dropped, 0U);
}

TEST(stream_link, an_invalid_length_ends_the_link) {
  socket_pair sockets;
  stream_link link(std::move(sockets.a), {.how = framing::qemu});
  ::send(sockets.b.get(), "\xff\xff\xff\xff", 4, 0);
  EXPECT_EQ(link.read().error().code, std::errc::protocol_error);
}

}  // namespace
}  // namespace links
