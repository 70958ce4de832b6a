#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>

#include <map>
#include <set>

#include "relay/listener_set.hpp"
#include "relay/udp_relay.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using support::connected_socket;
using support::eventually;

constexpr auto loopback = net::address::loopback_v4();

class udp_relay_test : public testing::Test {
 protected:
  void start(relay_options options = {}, net::address listen_on = loopback, bool dual_stack = false) {
    if (!target_) target_ = support::bound_socket(SOCK_DGRAM, {loopback, 0});
    set_.reset();
    set_ = std::make_unique<listener_set>(options);
    listen_ = {listen_on, support::free_port(SOCK_DGRAM)};
    const auto added = set_->add({.protocol = net::protocol::udp,
                                  .listen = listen_,
                                  .target = support::local_endpoint(target_.get()),
                                  .dual_stack = dual_stack});
    ASSERT_TRUE(added) << added.error().message();
  }
  base::unique_fd client(net::address to = loopback) { return connected_socket(SOCK_DGRAM, {to, listen_.port}); }

  struct received {
    std::string bytes;
    net::socket_address from;
  };
  received receive() {
    received r{std::string(70'000, '\0'), {}};
    const auto got = ::recvfrom(target_.get(), r.bytes.data(), r.bytes.size(), 0, r.from.get(), &r.from.size);
    if (got < 0) throw std::system_error(errno, std::system_category(), "recvfrom");
    r.bytes.resize(static_cast<std::size_t>(got));
    return r;
  }
  void reply(const received& to, const std::string& bytes) {
    ::sendto(target_.get(), bytes.data(), bytes.size(), 0, to.from.get(), to.from.size);
  }
  static std::string read(const base::unique_fd& fd) {
    std::string bytes(70'000, '\0');
    const auto got = ::recv(fd.get(), bytes.data(), bytes.size(), 0);
    if (got < 0) throw std::system_error(errno, std::system_category(), "recv");
    bytes.resize(static_cast<std::size_t>(got));
    return bytes;
  }
  static void send(const base::unique_fd& fd, const std::string& bytes) {
    ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }

  base::unique_fd target_;
  net::endpoint listen_;
  std::unique_ptr<listener_set> set_;
};

TEST_F(udp_relay_test, carries_datagrams_of_every_size_both_ways) {
  start();
  const auto c = client();
  for (const std::size_t size : {0UL, 1UL, 1472UL, 9000UL, 65'507UL}) {
    const std::string there(size, 'q'), back(size, 'r');
    send(c, there);
    const auto got = receive();
    EXPECT_EQ(got.bytes, there);
    reply(got, back);
    EXPECT_EQ(read(c), back);
  }
  EXPECT_EQ(set_->count().flows, 1U);
}

TEST_F(udp_relay_test, replies_go_to_the_client_that_asked) {
  start();
  std::vector<base::unique_fd> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(client());
  for (std::size_t i = 0; i < clients.size(); ++i) send(clients[i], std::to_string(i));
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const auto got = receive();
    reply(got, "for " + got.bytes);
  }
  for (std::size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(read(clients[i]), "for " + std::to_string(i));
}

TEST_F(udp_relay_test, replies_leave_from_the_address_that_the_client_wrote_to) {
  start({}, net::address::any_v4(), true);
  for (const auto* to : {"127.0.0.7", "::1"}) {
    const auto c = client(net::address::parse(to).value());  // connected: takes answers from there alone
    send(c, "hello");
    reply(receive(), "answer");
    EXPECT_EQ(read(c), "answer") << to;
  }
}

TEST_F(udp_relay_test, who_wrote_to_a_broadcast_address_gets_replies_too) {
  for (const bool dual_stack : {false, true}) {
    start({}, net::address::any_v4(), dual_stack);
    const auto c = support::bound_socket(SOCK_DGRAM, {loopback, 0});
    const int one = 1;
    ::setsockopt(c.get(), SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
    const auto everybody = net::to_sockaddr({net::address::v4(127, 255, 255, 255), listen_.port});
    ASSERT_EQ(::sendto(c.get(), "who?", 4, 0, everybody.get(), everybody.size), 4);
    const auto asked = receive();
    reply(asked, "me");
    reply(asked, "and me");
    EXPECT_EQ(read(c), "me");
    EXPECT_EQ(read(c), "and me");
  }
}

TEST_F(udp_relay_test, many_datagrams_of_many_clients_keep_their_order) {
  start();
  const auto a = client(), b = client();
  for (int i = 0; i < 100; ++i) {
    send(a, "a" + std::to_string(i));
    send(b, "b" + std::to_string(i));
  }
  int next_a = 0, next_b = 0;
  for (int i = 0; i < 200; ++i) {
    const auto got = receive().bytes;
    auto& next = got[0] == 'a' ? next_a : next_b;
    EXPECT_EQ(got.substr(1), std::to_string(next++));
  }
}

// Each of the three threads has a socket of the port.
TEST_F(udp_relay_test, with_several_threads_a_client_stays_one_flow) {
  start({.shards = 3});
  std::vector<base::unique_fd> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(client());
  std::map<std::string, std::set<std::string>> sources;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i) send(clients[i], std::to_string(i));
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const auto got = receive();
      sources[got.bytes].insert(net::to_string(net::from_sockaddr(got.from).value()));
      reply(got, "for " + got.bytes);
    }
    for (std::size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(read(clients[i]), "for " + std::to_string(i));
  }
  EXPECT_EQ(sources.size(), clients.size());
  for (const auto& [name, from] : sources) EXPECT_EQ(from.size(), 1U) << name;
  EXPECT_EQ(set_->count().flows, clients.size());
}

TEST_F(udp_relay_test, with_several_threads_a_broadcast_arrives_once) {
  for (const bool dual_stack : {false, true}) {
    start({.shards = 3}, net::address::any_v4(), dual_stack);
    const auto c = support::bound_socket(SOCK_DGRAM, {loopback, 0});
    const int one = 1;
    ::setsockopt(c.get(), SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
    const auto all = net::to_sockaddr({net::address::v4(127, 255, 255, 255), listen_.port});
    ASSERT_EQ(::sendto(c.get(), "who?", 4, 0, all.get(), all.size), 4);
    EXPECT_EQ(receive().bytes, "who?");
    for (int i = 0; i < 20; ++i) {  // to each thread
      const auto other = client();
      send(other, "last");
      EXPECT_EQ(receive().bytes, "last");
    }
  }
}

TEST_F(udp_relay_test, with_several_threads_a_multicast_arrives_once) {
  start({.shards = 3}, net::address::any_v4());
  const auto c = support::bound_socket(SOCK_DGRAM, {loopback, 0});
  const in_addr by{htonl(INADDR_LOOPBACK)};
  ASSERT_EQ(::setsockopt(c.get(), IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by), 0);
  const auto all = net::to_sockaddr({net::address::v4(224, 0, 0, 1), listen_.port});
  ASSERT_EQ(::sendto(c.get(), "who?", 4, 0, all.get(), all.size), 4);
  EXPECT_EQ(receive().bytes, "who?");
  for (int i = 0; i < 20; ++i) {
    const auto other = client();
    send(other, "last");
    EXPECT_EQ(receive().bytes, "last");
  }
}

TEST_F(udp_relay_test, flows_expire_after_ninety_seconds_by_default) {
  EXPECT_EQ(relay_options{}.udp.idle, std::chrono::seconds(90));
}

TEST_F(udp_relay_test, idle_flows_expire) {
  start({.udp = {.idle = std::chrono::milliseconds(40)}});
  const auto c = client();
  send(c, "x");
  const auto first = receive();
  EXPECT_TRUE(eventually([this] { return set_->count().flows == 0; }));
  send(c, "y");
  const auto second = receive();
  EXPECT_EQ(second.bytes, "y");
  EXPECT_NE(net::from_sockaddr(second.from), net::from_sockaddr(first.from)) << "a new flow";
  reply(second, "z");
  EXPECT_EQ(read(c), "z");
}

TEST_F(udp_relay_test, the_oldest_flow_makes_room_when_there_are_too_many) {
  start({.udp = {.flows = 2}});
  const auto a = client(), b = client(), c = client();
  send(a, "a");
  const auto from_a = receive();
  send(b, "b");
  receive();
  send(c, "c");
  const auto from_c = receive();
  EXPECT_EQ(set_->count().flows, 2U);
  reply(from_c, "c");
  EXPECT_EQ(read(c), "c");
  send(a, "again");
  EXPECT_NE(net::from_sockaddr(receive().from), net::from_sockaddr(from_a.from));
}

TEST_F(udp_relay_test, a_target_that_is_away_for_a_while_does_not_end_the_flow) {
  start();
  const auto at = support::local_endpoint(target_.get());
  const auto c = client();
  target_.reset();
  for (int i = 0; i < 3; ++i) send(c, "lost");
  ASSERT_TRUE(eventually([this] { return set_->count().flows == 1; }));
  target_ = support::bound_socket(SOCK_DGRAM, at);
  std::string got;
  ASSERT_TRUE(eventually([&] {
    send(c, "found");
    return ::recv(target_.get(), nullptr, 0, MSG_PEEK | MSG_DONTWAIT) >= 0;
  }));
  EXPECT_EQ(set_->count().flows, 1U);
}

TEST_F(udp_relay_test, removing_the_listener_ends_its_flows) {
  start();
  const auto c = client();
  send(c, "x");
  const auto got = receive();
  EXPECT_TRUE(set_->remove(net::protocol::udp, listen_));
  EXPECT_TRUE(eventually([this] { return set_->count().flows == 0; }));
  EXPECT_NO_THROW(support::bound_socket(SOCK_DGRAM, listen_)) << "the port is free at once";
}

// With room for one flow, every client takes the place of the last one; in between, the listener has no flow.
TEST(udp_flows, flows_that_replace_each_other_add_no_ticker) {
  const auto target = support::bound_socket(SOCK_DGRAM, {net::address::loopback_v4(), 0});
  auto fd = support::bound_socket(SOCK_DGRAM, {net::address::loopback_v4(), 0});
  const auto at = support::local_endpoint(fd.get());
  counters count;
  descriptor_budget budget(1'024);
  os::event_loop loop;
  std::optional<udp_relay> relay;
  std::unique_ptr<os::event_handler> listener;
  loop.call([&] {
    relay.emplace(loop, count, budget, udp_limits{.flows = 1});
    listener = relay->listen(std::move(fd), support::local_endpoint(target.get())).value();
  });
  for (int i = 0; i < 20; ++i) {
    const auto client = connected_socket(SOCK_DGRAM, at);
    ASSERT_EQ(::send(client.get(), "x", 1, 0), 1);
    char byte = 0;
    ASSERT_EQ(::recv(target.get(), &byte, 1, 0), 1);
  }
  loop.call([&] { EXPECT_EQ(loop.tickers(), 1U); });
  loop.call([&] {
    loop.stop_ticking();
    listener.reset();
    relay.reset();
  });
}

}  // namespace
}  // namespace relay
