#include "relay/datagram_batch.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <array>

#include "tests/support/netns.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using support::bound_socket;
using support::connected_socket;
using support::local_endpoint;

constexpr auto loopback = net::address::loopback_v4();

struct pair_of_sockets {
  base::unique_fd near, far;
};
// UNIX sockets carry larger datagrams than UDP does, and a full queue is an error at once.
pair_of_sockets unix_datagrams() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  pair_of_sockets made{base::unique_fd(ends[0]), base::unique_fd(ends[1])};
  support::set_deadline(made.far.get());
  return made;
}

void send(const base::unique_fd& to, const std::string& bytes) {
  ASSERT_EQ(::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}
std::string read(const base::unique_fd& from) {
  std::string bytes(70'000, '\0');
  const auto got = ::recv(from.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) throw std::system_error(errno, std::system_category(), "recv");
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

class datagram_batch_test : public testing::Test {
 protected:
  // Fills the batch with these datagrams.
  void take_in(const std::vector<std::string>& datagrams) {
    const auto source = unix_datagrams();
    for (const auto& one : datagrams) send(source.near, one);
    ASSERT_EQ(batch_.receive(source.far.get(), false), static_cast<int>(datagrams.size()));
  }
  datagram_batch batch_;
};

TEST_F(datagram_batch_test, takes_at_most_its_capacity_and_leaves_the_others_in_the_kernel) {
  const auto target = bound_socket(SOCK_DGRAM, {loopback, 0});
  const auto client = connected_socket(SOCK_DGRAM, local_endpoint(target.get()));
  for (unsigned i = 0; i < datagram_batch::capacity + 3; ++i) send(client, std::to_string(i));
  EXPECT_EQ(batch_.receive(target.get(), false), static_cast<int>(datagram_batch::capacity));
  EXPECT_EQ(batch_.receive(target.get(), false), 3);
  EXPECT_EQ(batch_.receive(target.get(), false), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(datagram_batch_test, every_datagram_keeps_its_bytes_and_its_length) {
  const std::vector<std::string> sizes{std::string(65'536, 'a'), "", "b", std::string(9'000, 'c')};
  take_in(sizes);
  const auto target = unix_datagrams();
  EXPECT_EQ(batch_.send(target.near.get(), 0, 4), 4);
  for (const auto& one : sizes) EXPECT_EQ(read(target.far), one);
}

TEST_F(datagram_batch_test, a_reply_goes_to_the_source_and_leaves_from_the_destination) {
  for (const auto& to : {net::address::v4(127, 0, 0, 7), net::address::loopback_v6()}) {
    const auto server = bound_socket(SOCK_DGRAM, {to.is_v6() ? net::address::any_v6() : net::address::any_v4(), 0});
    const int one = 1;
    ::setsockopt(server.get(), IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
    ::setsockopt(server.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
    const auto client = connected_socket(SOCK_DGRAM, {to, local_endpoint(server.get()).port});
    send(client, "echo");
    ASSERT_EQ(batch_.receive(server.get(), true), 1);
    EXPECT_EQ(net::from_sockaddr(batch_.source(0)), local_endpoint(client.get()));
    EXPECT_EQ(batch_.send(server.get(), 0, 1, batch_.source(0), batch_.destination(0)), 1);
    EXPECT_EQ(read(client), "echo") << "a connected socket takes a reply from " << to.to_string() << " alone";
  }
}

TEST_F(datagram_batch_test, without_a_reported_destination_a_reply_leaves_from_any_address) {
  const auto server = bound_socket(SOCK_DGRAM, {loopback, 0});
  const auto client = connected_socket(SOCK_DGRAM, local_endpoint(server.get()));
  send(client, "x");
  ASSERT_EQ(batch_.receive(server.get(), true), 1);
  const auto from = batch_.destination(0);
  EXPECT_EQ(from.size, 0U);
  EXPECT_EQ(batch_.send(server.get(), 0, 1, batch_.source(0), from), 1);
  EXPECT_EQ(read(client), "x");
}

TEST_F(datagram_batch_test, one_that_is_too_large_for_the_path_is_skipped_and_the_others_arrive) {
  take_in({"first", std::string(65'536, 'x'), "last"});
  const auto target = bound_socket(SOCK_DGRAM, {loopback, 0});
  const auto way = connected_socket(SOCK_DGRAM, local_endpoint(target.get()));
  EXPECT_EQ(batch_.send(way.get(), 0, 3), 2);
  EXPECT_EQ(read(target), "first");
  EXPECT_EQ(read(target), "last");
}

TEST_F(datagram_batch_test, the_pending_error_of_an_earlier_datagram_costs_no_later_one) {
  auto target = bound_socket(SOCK_DGRAM, {net::address::v4(127, 9, 8, 7), 0});
  const auto at = local_endpoint(target.get());
  const auto way = connected_socket(SOCK_DGRAM, at);
  target.reset();
  send(way, "lost");
  pollfd refused{way.get(), 0, 0};
  ASSERT_EQ(::poll(&refused, 1, 10'000), 1) << "no error came back";
  target = bound_socket(SOCK_DGRAM, at);
  take_in({"one", "two"});
  EXPECT_EQ(batch_.send(way.get(), 0, 2), 2);
  EXPECT_EQ(read(target), "one");
  EXPECT_EQ(read(target), "two");
}

TEST_F(datagram_batch_test, a_full_socket_ends_the_call_and_the_next_one_goes_on_from_there) {
  const auto source = bound_socket(SOCK_DGRAM, {loopback, 0});
  const auto client = connected_socket(SOCK_DGRAM, local_endpoint(source.get()));
  const auto of_size = [](std::size_t size) { return std::string(size, 'x'); };
  for (unsigned i = 0; i < datagram_batch::capacity; ++i) send(client, of_size(i + 1));
  ASSERT_EQ(batch_.receive(source.get(), false), static_cast<int>(datagram_batch::capacity));
  const auto target = unix_datagrams();
  const int small = 1;
  ::setsockopt(target.near.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  unsigned next = 0, read_back = 0, calls = 0;
  for (; next < datagram_batch::capacity; ++calls) {
    const int sent = batch_.send(target.near.get(), next, datagram_batch::capacity);
    ASSERT_GT(sent, 0);
    next += static_cast<unsigned>(sent);
    for (; read_back < next; ++read_back) EXPECT_EQ(read(target.far), of_size(read_back + 1));
  }
  EXPECT_GT(calls, 1U) << "the socket was never full";
}

// Datagrams of one size are sent as one message, whatever their number and the size of the last one.
TEST_F(datagram_batch_test, a_train_arrives_as_single_datagrams) {
  const auto target = bound_socket(SOCK_DGRAM, {loopback, 0});
  const auto way = connected_socket(SOCK_DGRAM, local_endpoint(target.get()));
  for (const std::size_t last : {1UL, 199UL, 200UL}) {
    for (const std::size_t count : {2UL, 3UL, 32UL}) {
      std::vector<std::string> datagrams;
      for (std::size_t i = 1; i < count; ++i) datagrams.emplace_back(200, static_cast<char>('a' + i % 26));
      datagrams.emplace_back(last, 'z');
      take_in(datagrams);
      EXPECT_EQ(batch_.send(way.get(), 0, static_cast<unsigned>(count)), static_cast<int>(count));
      for (const auto& one : datagrams) EXPECT_EQ(read(target), one);
    }
  }
}

// A receiver that asks for trains sees them: so one was sent.
TEST_F(datagram_batch_test, datagrams_of_one_size_are_one_train) {
  const auto target = bound_socket(SOCK_DGRAM, {loopback, 0});
  const int one = 1;
  ASSERT_EQ(::setsockopt(target.get(), SOL_UDP, UDP_GRO, &one, sizeof one), 0);
  const auto way = connected_socket(SOCK_DGRAM, local_endpoint(target.get()));
  take_in({"one", "two", "x"});
  EXPECT_EQ(batch_.send(way.get(), 0, 3), 3);
  EXPECT_EQ(read(target), "onetwox");
}

TEST_F(datagram_batch_test, sizes_that_make_no_train_arrive_as_they_are) {
  const auto target = bound_socket(SOCK_DGRAM, {loopback, 0});
  const auto way = connected_socket(SOCK_DGRAM, local_endpoint(target.get()));
  using sizes = std::vector<std::size_t>;
  for (const auto& each :
       {sizes{0, 0}, sizes{5, 0}, sizes{5, 4, 5}, sizes{4, 5}, sizes{1'473, 1'473}, sizes{9'000, 1}}) {
    std::vector<std::string> datagrams;
    for (const auto size : each) datagrams.emplace_back(size, 'q');
    take_in(datagrams);
    EXPECT_EQ(batch_.send(way.get(), 0, static_cast<unsigned>(each.size())), static_cast<int>(each.size()));
    for (const auto& one : datagrams) EXPECT_EQ(read(target), one);
  }
}

TEST_F(datagram_batch_test, the_replies_of_a_train_leave_from_the_destination) {
  const auto server = bound_socket(SOCK_DGRAM, {net::address::any_v4(), 0});
  const int one = 1;
  ::setsockopt(server.get(), IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
  const auto client = connected_socket(SOCK_DGRAM, {net::address::v4(127, 0, 0, 7), local_endpoint(server.get()).port});
  for (int i = 0; i < 3; ++i) send(client, "echo");
  ASSERT_EQ(batch_.receive(server.get(), true), 3);
  EXPECT_EQ(batch_.send(server.get(), 0, 3, batch_.source(0), batch_.destination(2)), 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(client), "echo");
}

// There the kernel refuses the train: none of its segments may become fragments.
TEST_F(datagram_batch_test, over_smaller_packets_each_datagram_of_a_train_arrives_in_fragments) {
  const support::netns place("small-packets");
  place.ip({"link", "set", "lo", "mtu", "700"});
  const support::inside here(place);
  const auto target = bound_socket(SOCK_DGRAM, {loopback, 0});
  const auto way = connected_socket(SOCK_DGRAM, local_endpoint(target.get()));
  const int fragment = IP_PMTUDISC_DONT;
  ::setsockopt(way.get(), IPPROTO_IP, IP_MTU_DISCOVER, &fragment, sizeof fragment);
  const std::vector<std::string> datagrams{std::string(1'000, 'a'), std::string(1'000, 'b'), std::string(999, 'c')};
  take_in(datagrams);
  EXPECT_EQ(batch_.send(way.get(), 0, 3), 3);
  for (const auto& one : datagrams) EXPECT_EQ(read(target), one);
}

}  // namespace
}  // namespace relay
