// A child has all descriptors of its parent until it calls exec. A socket that the relay closes meanwhile stays open in
// the child, and so in epoll, unless the relay removes it from epoll first.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "relay/listener_set.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using support::connected_socket;
using support::eventually;

constexpr auto loopback = net::address::loopback_v4();

std::string kind_of(const std::filesystem::path& descriptor) {
  std::error_code gone;
  return std::filesystem::read_symlink(descriptor, gone).string();
}

// How many descriptors all epoll sets of this process watch.
std::size_t watched() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    if (kind_of(entry.path()) != "anon_inode:[eventpoll]") continue;
    std::ifstream info("/proc/self/fdinfo/" + entry.path().filename().string());
    for (std::string line; std::getline(info, line);) count += line.starts_with("tfd:") ? 1 : 0;
  }
  return count;
}

// Duplicates every socket of this process, as a child would hold them.
std::vector<base::unique_fd> copies_of_all_sockets() {
  std::vector<int> sockets;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    if (kind_of(entry.path()).starts_with("socket:")) sockets.push_back(std::stoi(entry.path().filename()));
  std::vector<base::unique_fd> copies;
  for (const int fd : sockets) copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  return copies;
}

TEST(inherited_descriptors, a_connection_that_ended_is_watched_no_more) {
  const auto target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  listener_set set;
  const net::endpoint at{loopback, support::free_port()};
  ASSERT_TRUE(set.add({.protocol = net::protocol::tcp, .listen = at, .target = support::local_endpoint(target.get())}));
  ASSERT_TRUE(eventually([] { return watched() == 2; })) << "the wake-up and the listener";
  const auto client = connected_socket(SOCK_STREAM, at);
  const auto server = support::accept_one(target.get());
  ASSERT_TRUE(eventually([] { return watched() == 4; }));
  const auto copies = copies_of_all_sockets();
  ::shutdown(client.get(), SHUT_WR);
  ::shutdown(server.get(), SHUT_WR);
  ASSERT_TRUE(eventually([&set] { return set.count().connections == 0; }));
  EXPECT_EQ(watched(), 2U);
}

TEST(inherited_descriptors, a_removed_listener_is_watched_no_more) {
  listener_set set;
  const net::endpoint tcp{loopback, support::free_port()}, udp{loopback, support::free_port(SOCK_DGRAM)},
      nowhere{loopback, 9};
  ASSERT_TRUE(set.add({.protocol = net::protocol::tcp, .listen = tcp, .target = nowhere}));
  ASSERT_TRUE(set.add({.protocol = net::protocol::udp, .listen = udp, .target = nowhere}));
  const auto client = connected_socket(SOCK_DGRAM, udp);
  ASSERT_EQ(::send(client.get(), "x", 1, 0), 1);
  ASSERT_TRUE(eventually([] { return watched() == 4; })) << "the wake-up, the listeners and the flow";
  const auto copies = copies_of_all_sockets();
  EXPECT_TRUE(set.remove(net::protocol::udp, udp));
  EXPECT_TRUE(set.remove(net::protocol::tcp, tcp));
  EXPECT_EQ(watched(), 1U);
}

}  // namespace
}  // namespace relay
