#include "link/datagram_link.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>

#include "net/stream_address.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/link/frames.hpp"

namespace links {
namespace {

void send_one(datagram_link& from, const bytes& frame) {
  const std::array<bytes_view, 2> parts{bytes_view(frame).first(frame.size() / 2),
                                        bytes_view(frame).subspan(frame.size() / 2)};
  ASSERT_TRUE(from.send(parts));
  ASSERT_TRUE(from.flush());
}

std::array<base::unique_fd, 2> make_pair(int type) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::runtime_error("socketpair");
  return {base::unique_fd(ends[0]), base::unique_fd(ends[1])};
}

base::unique_fd bound_datagram_socket(const std::filesystem::path& path) {
  base::unique_fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto at = net::to_sockaddr(net::stream_address(net::unix_path{path}));
  if (::bind(fd.get(), at.get(), at.size) != 0) throw std::runtime_error("bind");
  return fd;
}

void send_to(const base::unique_fd& from, const std::filesystem::path& path, bytes_view datagram) {
  const auto at = net::to_sockaddr(net::stream_address(net::unix_path{path}));
  ASSERT_EQ(::sendto(from.get(), datagram.data(), datagram.size(), 0, at.get(), at.size), std::ssize(datagram));
}

TEST(datagram_link, frames_cross_seqpacket_both_ways_and_its_end_is_seen) {
  auto sockets = make_pair(SOCK_SEQPACKET);
  datagram_link a(std::move(sockets[0]));
  {
    datagram_link b(std::move(sockets[1]));
    for (const std::size_t size : {1UL, 14UL, 1514UL, 65'535UL}) {
      send_one(a, pattern(size, 1));
      ASSERT_EQ(*b.read(), 1U);
      EXPECT_EQ(copy(b.frames()[0].frame), pattern(size, 1));
      send_one(b, pattern(size, 2));
      ASSERT_EQ(*a.read(), 1U);
      EXPECT_EQ(copy(a.frames()[0].frame), pattern(size, 2));
    }
  }
  EXPECT_EQ(a.read().error().code, std::errc::connection_aborted);
}

TEST(datagram_link, one_read_takes_many) {
  auto sockets = make_pair(SOCK_SEQPACKET);
  datagram_link a(std::move(sockets[0])), b(std::move(sockets[1]));
  const auto frame = pattern(100, 3);
  const std::array<bytes_view, 1> parts{frame};
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(a.send(parts));
  ASSERT_TRUE(a.flush());
  EXPECT_EQ(a.counters().writes, 1U);
  std::size_t arrived = 0;
  while (const auto count = *b.read()) arrived += count;
  EXPECT_EQ(arrived, 50U);
}

TEST(datagram_link, the_first_sender_is_the_peer_and_its_greeting_is_not_a_frame) {
  const support::temp_dir directory;
  const auto ours = directory / "ours";
  datagram_link link(bound_datagram_socket(ours));
  const auto vm = bound_datagram_socket(directory / "vm"), stranger = bound_datagram_socket(directory / "stranger");
  const auto frame = pattern(60, 1);
  const std::array<bytes_view, 1> parts{frame};
  ASSERT_TRUE(link.send(parts));
  ASSERT_TRUE(link.flush()) << "without a peer a frame is dropped";
  EXPECT_EQ(link.counters().dropped, 1U);
  const std::string greeting = "VFKT";
  send_to(vm, ours, {reinterpret_cast<const std::uint8_t*>(greeting.data()), greeting.size()});
  send_to(stranger, ours, pattern(60, 9));
  send_to(vm, ours, frame);
  ASSERT_EQ(*link.read(), 1U);
  EXPECT_EQ(copy(link.frames()[0].frame), frame);
  EXPECT_EQ(link.counters().strangers, 1U);
  send_one(link, pattern(70, 4));
  bytes got(100);
  EXPECT_EQ(::recv(vm.get(), got.data(), got.size(), MSG_DONTWAIT), 70);
}

// As each link is on its way to the data plane.
TEST(datagram_link, a_link_that_was_moved_reads_and_writes) {
  auto sockets = make_pair(SOCK_SEQPACKET);
  auto first = std::make_unique<datagram_link>(std::move(sockets[0]));
  datagram_link a(std::move(*first)), b(std::move(sockets[1]));
  first.reset();
  for (std::uint32_t i = 0; i < 3; ++i) {
    send_one(b, pattern(1514, i));
    ASSERT_EQ(*a.read(), 1U);
    EXPECT_EQ(copy(a.frames()[0].frame), pattern(1514, i));
    send_one(a, pattern(60, i));
    ASSERT_EQ(*b.read(), 1U);
    EXPECT_EQ(copy(b.frames()[0].frame), pattern(60, i));
  }
}

TEST(datagram_link, a_peer_that_does_not_read_costs_a_bounded_backlog) {
  auto sockets = make_pair(SOCK_SEQPACKET);
  datagram_link link(std::move(sockets[0]), 50'000), peer(std::move(sockets[1]));
  const auto frame = pattern(60'000, 1), small = pattern(1000, 2);
  std::uint64_t sent = 0;
  while (link.counters().dropped < 10) {
    send_one(link, ++sent % 2 == 0 ? frame : small);
    ASSERT_LT(sent, 10'000U);
  }
  EXPECT_TRUE(link.is_blocked());
  std::uint64_t arrived = 0;
  while (true) {
    const auto count = *peer.read();
    arrived += count;
    ASSERT_TRUE(link.flush());
    if (count == 0 && !link.is_blocked()) break;
  }
  EXPECT_EQ(arrived + link.counters().dropped, sent);
}

}  // namespace
}  // namespace links
