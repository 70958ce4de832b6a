// The VM's UDP: one unconnected socket of the host for each of its source ports, and what the host's kernel says back.
#include "translator/udp_flows.hpp"

#include <gtest/gtest.h>

#include "tests/support/netns.hpp"
#include "tests/unit/translator/plane_fixture.hpp"

namespace translator {
namespace {

using netstack::icmp::unreachable;

struct request {
  std::string payload;
  net::socket_address from;
  [[nodiscard]] net::endpoint source() const { return *net::from_sockaddr(from); }
};

request receive(const base::unique_fd& server) {
  request made{std::string(70'000, '\0'), {}};
  const auto got =
      ::recvfrom(server.get(), made.payload.data(), made.payload.size(), 0, made.from.get(), &made.from.size);
  EXPECT_GE(got, 0) << "nothing came";
  made.payload.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return made;
}
void reply(const base::unique_fd& server, const request& to, bytes_view payload) {
  ASSERT_EQ(::sendto(server.get(), payload.data(), payload.size(), 0, to.from.get(), to.from.size),
            std::ssize(payload));
}

class udp_flows_test : public plane_fixture {
 protected:
  void SetUp() override { start(); }
  [[nodiscard]] std::uint64_t flows() { return now(plane().count().udp_flows); }
  static void expect_error(const std::optional<scripted_vm::icmp_message>& error, unreachable code,
                           std::uint16_t source_port, const endpoint& asked) {
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->what.is(netstack::icmp::type::unreachable));
    EXPECT_EQ(error->what.code, static_cast<std::uint8_t>(code));
    const auto about = netstack::icmp::parse_quoted(error->what);
    ASSERT_TRUE(about);
    EXPECT_EQ(about->packet.source, vm);
    EXPECT_EQ(about->packet.destination, asked.address);
    EXPECT_EQ(about->source_port, source_port);
    EXPECT_EQ(about->destination_port, asked.port);
  }
};

TEST_F(udp_flows_test, one_source_port_is_one_port_of_the_host_for_all_servers) {
  auto machine = join();
  const auto a = udp_server(), b = udp_server();
  machine.put_udp(5'000, by_alias(a), text("1"));
  machine.put_udp(5'000, by_alias(b), text("2"));
  machine.put_udp(5'001, by_alias(b), text("3"));
  const auto one = receive(a), two = receive(b), three = receive(b);
  EXPECT_EQ(one.source(), two.source());
  EXPECT_NE(two.source(), three.source());
  EXPECT_EQ(flows(), 2U);
}

TEST_F(udp_flows_test, answers_come_from_the_address_that_the_vm_asked) {
  auto machine = join();
  const auto server = udp_server();
  machine.put_udp(5'000, by_alias(server), text("1"));
  reply(server, receive(server), text("answer"));
  const auto got = machine.next_datagram();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->from, by_alias(server));
  EXPECT_EQ(got->to, (endpoint{vm, 5'000}));
  EXPECT_EQ(got->payload, text("answer"));
}

// As TFTP and SIP do.
TEST_F(udp_flows_test, an_answer_from_another_port_has_its_true_source_and_one_from_a_stranger_is_dropped) {
  auto machine = join();
  const auto server = udp_server(), other_port = udp_server();
  const auto stranger = support::bound_socket(SOCK_DGRAM, {net::address::v4(127, 0, 0, 9), 0});
  machine.put_udp(5'000, by_alias(server), text("1"));
  const auto asked = receive(server);
  reply(stranger, asked, text("false"));
  reply(other_port, asked, text("true"));
  const auto got = machine.next_datagram();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->from, by_alias(other_port));
  EXPECT_EQ(got->payload, text("true"));
  EXPECT_EQ(now(plane().count().datagrams_dropped), 1U);
}

TEST_F(udp_flows_test, datagrams_of_every_size_pass_unchanged) {
  auto machine = join();
  const auto server = udp_server();
  for (const std::size_t size : {0UL, 1UL, 1'472UL, 1'473UL, 65'507UL, 0UL}) {
    const auto payload = counting(size);
    machine.put_udp(5'000, by_alias(server), payload);
    const auto asked = receive(server);
    EXPECT_EQ(bytes(asked.payload.begin(), asked.payload.end()), payload) << size;
    reply(server, asked, payload);
    const auto got = machine.next_datagram();
    ASSERT_TRUE(got) << size;
    EXPECT_EQ(got->payload, payload);
  }
  EXPECT_EQ(flows(), 1U);
}

TEST_F(udp_flows_test, a_closed_port_is_what_the_asked_address_says_and_the_flow_goes_on) {
  auto machine = join();
  const endpoint closed{host_alias, support::free_port(SOCK_DGRAM)};
  const auto server = udp_server();
  for (int i = 0; i < 3; ++i) {
    machine.put_udp(5'000, closed, text("is anyone there"));
    const auto error = machine.next_icmp();
    expect_error(error, unreachable::port, 5'000, closed);
    EXPECT_EQ(error->from, host_alias);
    machine.put_udp(5'000, by_alias(server), text("and there"));
    EXPECT_EQ(receive(server).payload, "and there");
  }
  EXPECT_EQ(flows(), 1U);
  EXPECT_EQ(now(plane().count().datagrams_dropped), 0U);
}

TEST_F(udp_flows_test, a_flow_lives_for_ninety_seconds_after_its_last_datagram_of_either_side) {
  auto machine = join();
  const auto server = udp_server();
  machine.put_udp(5'000, by_alias(server), text("1"));
  const auto asked = receive(server);
  pass(89s);
  reply(server, asked, text("late"));
  ASSERT_TRUE(machine.next_datagram());
  pass(89s);
  EXPECT_EQ(flows(), 1U);
  machine.put_udp(5'000, by_alias(server), text("2"));
  EXPECT_EQ(receive(server).source(), asked.source());
  pass(90s);
  EXPECT_EQ(flows(), 0U);
  machine.put_udp(5'000, by_alias(server), text("3"));
  EXPECT_EQ(receive(server).payload, "3") << "a new flow";
}

TEST_F(udp_flows_test, out_of_descriptors_the_flow_that_was_idle_for_longest_goes) {
  start(usual(), 64);
  auto machine = join();
  const auto server = udp_server();
  machine.put_udp(5'000, by_alias(server), text("kept busy"));
  const auto busy = receive(server);
  std::uint16_t port = 5'001;
  for (; port < 5'200 && now(plane().count().udp_flows_evicted) == 0; ++port) {
    machine.put_udp(port, by_alias(server), text("x"));
    ASSERT_EQ(receive(server).payload, "x");
    machine.put_udp(5'000, by_alias(server), text("still"));
    EXPECT_EQ(receive(server).source(), busy.source()) << port;
  }
  EXPECT_LT(flows(), 64U);
  const auto held = flows();
  for (int i = 0; i < 100; ++i) {
    machine.put_udp(static_cast<std::uint16_t>(6'000 + i), by_alias(server), text("x"));
    ASSERT_EQ(receive(server).payload, "x");
  }
  EXPECT_EQ(flows(), held);
  EXPECT_GE(now(plane().count().udp_flows_evicted), 100U);
}

TEST_F(udp_flows_test, a_burst_of_one_turn_is_whole_and_in_order_for_each_server) {
  auto machine = join();
  const auto a = udp_server(), b = udp_server();
  for (int i = 0; i < 200; ++i)
    machine.put_udp(static_cast<std::uint16_t>(5'000 + i % 3), by_alias(i % 2 == 0 ? a : b), text(std::to_string(i)));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(receive(i % 2 == 0 ? a : b).payload, std::to_string(i));
}

TEST_F(udp_flows_test, a_port_of_the_gateway_that_serves_nothing_is_closed) {
  auto machine = join();
  machine.put_udp(5'000, {gateway, 9}, text("discard"));
  expect_error(machine.next_icmp(), unreachable::port, 5'000, {gateway, 9});
  EXPECT_EQ(flows(), 0U);
}

TEST_F(udp_flows_test, what_the_hosts_routes_refuse_is_the_icmp_error_that_says_so) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns host("udp-routes");
  host.ip({"route", "add", "unreachable", "198.51.100.1/32"});
  host.ip({"route", "add", "prohibit", "198.51.100.2/32"});
  host.run([&] {
    start();
    auto machine = join();
    const std::vector<std::pair<std::uint32_t, unreachable>> each{
        {0xc633'6401, unreachable::host},
        {0xc633'6402, unreachable::administratively_prohibited},
        {0xc633'6403, unreachable::network}};
    for (const auto& [address, code] : each) {
      const endpoint asked{{address}, 53};
      machine.put_udp(5'000, asked, text("question"));
      const auto error = machine.next_icmp();
      expect_error(error, code, 5'000, asked);
      EXPECT_EQ(error->from, gateway);
    }
    plane_.reset();
  });
}

TEST_F(udp_flows_test, dont_fragment_is_kept_and_the_hosts_mtu_is_passed_on) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns host("udp-mtu");
  host.ip({"link", "set", "lo", "mtu", "1300"});
  host.run([&] {
    start();
    auto machine = join();
    const auto server = udp_server();
    machine.put_udp(5'000, by_alias(server), counting(1'400), true);
    const auto error = machine.next_icmp();
    expect_error(error, unreachable::fragmentation_needed, 5'000, by_alias(server));
    EXPECT_EQ(error->what.sequence, 1'300) << "the MTU stands there";
    EXPECT_FALSE(machine.next_icmp(a_moment)) << "once for each datagram";
    machine.put_udp(5'000, by_alias(server), counting(1'400), false);
    EXPECT_EQ(receive(server).payload.size(), 1'400U) << "in fragments";
    machine.put_udp(5'000, by_alias(server), counting(1'200), true);
    EXPECT_EQ(receive(server).payload.size(), 1'200U);
    plane_.reset();
  });
}

// ---- asked_addresses

constexpr netstack::ipv4::address number(std::uint32_t n) { return {0x0a00'0000 + n}; }

TEST(asked_addresses, each_address_has_the_name_by_which_it_was_asked_last) {
  asked_addresses all;
  EXPECT_FALSE(all.name_of(number(1)));
  all.add(number(1), number(1));
  all.add(host_alias, {0x7f00'0001});
  EXPECT_EQ(all.name_of(number(1)), number(1));
  EXPECT_EQ(all.name_of({0x7f00'0001}), host_alias);
  EXPECT_FALSE(all.name_of(host_alias)) << "no answer comes from there";
  all.add(number(7), {0x7f00'0001});
  EXPECT_EQ(all.name_of({0x7f00'0001}), number(7));
}

TEST(asked_addresses, the_one_not_asked_for_longest_goes) {
  asked_addresses all;
  for (std::uint32_t i = 0; i < asked_addresses::most; ++i) all.add(number(i), number(i));
  all.add(number(0), number(0));
  all.add(number(1'000), number(1'000));
  EXPECT_TRUE(all.name_of(number(0))) << "asked again";
  EXPECT_FALSE(all.name_of(number(1)));
  for (std::uint32_t i = 2; i < asked_addresses::most; ++i) EXPECT_TRUE(all.name_of(number(i))) << i;
  EXPECT_TRUE(all.name_of(number(1'000)));
}

}  // namespace
}  // namespace translator
