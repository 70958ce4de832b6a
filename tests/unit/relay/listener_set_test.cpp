#include "relay/listener_set.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/support/netns.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using support::connected_socket;

constexpr auto loopback = net::address::loopback_v4();
const net::endpoint nowhere{loopback, 9};

listener_spec tcp(net::endpoint listen) {
  return {.protocol = net::protocol::tcp, .listen = listen, .target = nowhere};
}

TEST(listener_set, busy_ports_are_told_at_once) {
  const auto holder = support::bound_socket(SOCK_STREAM, {loopback, 0});
  listener_set set;
  EXPECT_EQ(set.add(tcp(support::local_endpoint(holder.get()))).error().code, std::errc::address_in_use);
  EXPECT_EQ(set.size(), 0U);
}

TEST(listener_set, the_same_key_twice_is_an_error) {
  listener_set set;
  const net::endpoint at{loopback, support::free_port()};
  ASSERT_TRUE(set.add(tcp(at)));
  EXPECT_EQ(set.add(tcp(at)).error().code, std::errc::file_exists);
  EXPECT_TRUE(set.contains(net::protocol::tcp, at));
  EXPECT_FALSE(set.contains(net::protocol::udp, at));
}

TEST(listener_set, keys_are_protocol_address_and_port) {
  listener_set set;
  const auto port = support::free_port();
  const net::endpoint other{net::address::v4(127, 0, 0, 2), port};
  ASSERT_TRUE(set.add(tcp({loopback, port})));
  ASSERT_TRUE(set.add(tcp(other)));
  ASSERT_TRUE(set.add({.protocol = net::protocol::udp, .listen = {loopback, port}, .target = nowhere}));
  EXPECT_TRUE(set.remove(net::protocol::tcp, {loopback, port}));
  EXPECT_FALSE(set.remove(net::protocol::tcp, {loopback, port}));
  EXPECT_TRUE(set.contains(net::protocol::tcp, other));
  EXPECT_TRUE(set.contains(net::protocol::udp, {loopback, port}));
  EXPECT_NO_THROW(connected_socket(SOCK_STREAM, other));
}

TEST(listener_set, a_port_is_free_when_remove_returns) {
  listener_set set;
  const net::endpoint at{loopback, support::free_port()};
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(set.add(tcp(at))) << i;
    ASSERT_TRUE(set.remove(net::protocol::tcp, at)) << i;
  }
}

TEST(listener_set, a_wildcard_is_dual_stack_when_asked_to) {
  listener_set set;
  const auto port = support::free_port();
  ASSERT_TRUE(set.add({.protocol = net::protocol::tcp,
                       .listen = {net::address::any_v4(), port},
                       .target = nowhere,
                       .dual_stack = true}));
  EXPECT_NO_THROW(connected_socket(SOCK_STREAM, {loopback, port}));
  EXPECT_NO_THROW(connected_socket(SOCK_STREAM, {net::address::loopback_v6(), port}));
}

TEST(listener_set, an_ipv6_listener_leaves_ipv4_alone) {
  listener_set set;
  const auto port = support::free_port();
  ASSERT_TRUE(set.add(tcp({net::address::any_v6(), port})));
  EXPECT_NO_THROW(connected_socket(SOCK_STREAM, {net::address::loopback_v6(), port}));
  EXPECT_THROW(connected_socket(SOCK_STREAM, {loopback, port}), std::system_error);
}

TEST(listener_set, with_reuse_port_a_wildcard_and_an_address_coexist_and_the_address_wins) {
  const auto target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  listener_set set;
  const auto port = support::free_port();
  auto specific = tcp({loopback, port});
  specific.reuse_port = true;
  specific.target = support::local_endpoint(target.get());
  ASSERT_TRUE(set.add(specific));
  auto wildcard = listener_spec{.protocol = net::protocol::tcp,
                                .listen = {net::address::any_v4(), port},
                                .target = nowhere,
                                .dual_stack = true,
                                .reuse_port = true};
  const auto added = set.add(wildcard);
  ASSERT_TRUE(added) << added.error().message();
  const auto client = connected_socket(SOCK_STREAM, {loopback, port});
  EXPECT_NO_THROW(support::accept_one(target.get()));
}

TEST(listener_set, never_forwards_to_itself) {
  listener_set set;
  const auto port = support::free_port();
  const net::endpoint at{loopback, port};
  EXPECT_EQ(set.add({.protocol = net::protocol::tcp, .listen = at, .target = at}).error().message(),
            "would relay to itself");
  EXPECT_FALSE(set.add({.protocol = net::protocol::tcp, .listen = {net::address::any_v4(), port}, .target = at}));
  ASSERT_TRUE(set.add(tcp(at)));
  EXPECT_FALSE(
      set.add({.protocol = net::protocol::tcp, .listen = {net::address::v4(127, 0, 0, 2), port}, .target = at}));
}

// A wildcard takes packets to every address of the machine, including secondary ones.
TEST(listener_set, a_wildcard_never_forwards_to_an_address_of_this_machine) {
  const support::netns machine("own-address");
  machine.ip({"address", "add", "10.9.9.1/24", "dev", "lo"});
  machine.ip({"address", "add", "10.9.9.2/24", "dev", "lo"});
  machine.ip({"address", "add", "fd09::1/64", "dev", "lo", "nodad"});
  machine.ip({"route", "add", "10.8.0.0/16", "dev", "lo"});
  const support::inside here(machine);
  listener_set set;
  const auto add = [&set](net::protocol protocol, const char* target) {
    const auto added = set.add({.protocol = protocol,
                                .listen = {net::address::any_v4(), 8080},
                                .target = {net::address::parse(target).value(), 8080},
                                .dual_stack = true});
    return added ? "" : added.error().message();
  };
  for (const auto protocol : {net::protocol::tcp, net::protocol::udp}) {
    for (const auto* own : {"10.9.9.1", "10.9.9.2", "fd09::1", "127.3.4.5", "::1", "0.0.0.0", "::"})
      EXPECT_EQ(add(protocol, own), "would relay to itself") << own;
    EXPECT_EQ(add(protocol, "10.8.0.1"), "") << "another machine";
  }
  EXPECT_TRUE(set.add({.protocol = net::protocol::tcp,
                       .listen = {net::address::any_v4(), 9090},
                       .target = {net::address::v4(10, 9, 9, 1), 9091}}))
      << "another port";
}

TEST(listener_set, ten_thousand_listeners) {
  listener_set set;
  std::size_t made = 0;
  for (std::uint16_t port = 20'000; made < 10'000; ++port)
    made += set.add(tcp({net::address::v4(127, 9, 9, 9), port})).has_value();
  EXPECT_EQ(set.size(), 10'000U);
}

TEST(listener_set, several_shards_share_the_listeners) {
  const auto target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  listener_set set({.shards = 2});
  for (int i = 0; i < 4; ++i) {
    const net::endpoint at{loopback, support::free_port()};
    ASSERT_TRUE(
        set.add({.protocol = net::protocol::tcp, .listen = at, .target = support::local_endpoint(target.get())}));
    const auto client = connected_socket(SOCK_STREAM, at);
    const auto server = support::accept_one(target.get());
    support::send_all(client.get(), "hi");
    EXPECT_EQ(support::read_exactly(server.get(), 2), "hi");
  }
}

listener_spec udp(net::endpoint listen) {
  return {.protocol = net::protocol::udp, .listen = listen, .target = nowhere};
}

TEST(listener_set, a_udp_port_of_several_threads_is_exclusive_and_free_when_remove_returns) {
  listener_set first({.shards = 3}), second({.shards = 3});
  const net::endpoint at{loopback, support::free_port(SOCK_DGRAM)};
  ASSERT_TRUE(first.add(udp(at)));
  EXPECT_EQ(second.add(udp(at)).error().code, std::errc::address_in_use);
  ASSERT_TRUE(first.remove(net::protocol::udp, at));
  const auto holder = support::bound_socket(SOCK_DGRAM, at);
  EXPECT_EQ(first.add(udp(at)).error().code, std::errc::address_in_use);
}

TEST(listener_set, sockets_for_threads_leave_descriptors_to_other_ports) {
  descriptor_budget budget(400);
  listener_set set({.shards = 4, .budget = &budget});
  const auto most = budget.capacity(descriptor_use::listener);
  std::uint16_t port = 20'000;
  while (budget.available(descriptor_use::listener) > 0)
    ASSERT_TRUE(set.add(udp({net::address::v4(127, 9, 9, 8), port++}))) << port;
  EXPECT_LT(set.size(), most * 3 / 4) << "the first ones have more than one socket";
  while (set.size() < most) ASSERT_TRUE(set.add(udp({net::address::v4(127, 9, 9, 8), port++}))) << set.size();
  EXPECT_EQ(set.add(udp({net::address::v4(127, 9, 9, 8), port})).error().code, std::errc::too_many_files_open);
}

TEST(listener_set, shards_follow_the_processors_that_may_be_used) {
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i)
    if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(shards_for_processors(), 1U);
  ASSERT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(shards_for_processors(), std::min(4U, static_cast<unsigned>(CPU_COUNT(&before))));
}

// Connects, gets an answer, and closes, until it is stopped. Sends datagrams too, so that there are events of both
// kinds.
void knock(const std::atomic<bool>& stop, net::endpoint at) {
  while (!stop) {
    try {
      const auto client = connected_socket(SOCK_STREAM, at);
      support::send_all(client.get(), "hi");
      const auto datagrams = connected_socket(SOCK_DGRAM, at);
      static_cast<void>(::send(datagrams.get(), "hi", 2, MSG_NOSIGNAL));
    } catch (const std::system_error&) {  // not there at the moment
    }
  }
}

TEST(listener_set, listeners_come_and_go_under_load) {
  const auto target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const net::endpoint to = support::local_endpoint(target.get());
  // Addresses without clients: the port of a client could be one of these.
  const net::endpoint at{net::address::v4(127, 66, 0, 1), support::free_port()},
      steady{net::address::v4(127, 66, 0, 2), support::free_port()};
  listener_set set;
  ASSERT_TRUE(set.add({.protocol = net::protocol::tcp, .listen = steady, .target = to}));
  std::atomic<bool> stop = false;
  std::thread first([&] { knock(stop, at); }), second([&] { knock(stop, steady); });
  for (int i = 0; i < 300; ++i) {
    for (const auto protocol : {net::protocol::tcp, net::protocol::udp})
      EXPECT_TRUE(set.add({.protocol = protocol, .listen = at, .target = to}));
    for (const auto protocol : {net::protocol::tcp, net::protocol::udp}) EXPECT_TRUE(set.remove(protocol, at));
  }
  stop = true;
  first.join();
  second.join();
  const auto calm = support::bound_socket(SOCK_STREAM, {loopback, 0});
  ASSERT_TRUE(set.remove(net::protocol::tcp, steady));
  ASSERT_TRUE(
      set.add({.protocol = net::protocol::tcp, .listen = steady, .target = support::local_endpoint(calm.get())}));
  const auto client = connected_socket(SOCK_STREAM, steady);
  support::send_all(client.get(), "after");
  EXPECT_EQ(support::read_exactly(support::accept_one(calm.get()).get(), 5), "after");
}

}  // namespace
}  // namespace relay
