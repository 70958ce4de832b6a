// UDP ports of the host whose clients reach the VM: each client is a flow of its own there, for ninety seconds.
#include "translator/exposed_udp.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

#include "tests/support/netns.hpp"
#include "tests/unit/translator/plane_fixture.hpp"

namespace translator {
namespace {

constexpr endpoint served{vm, 5353};

std::string as_text(const bytes& b) { return {b.begin(), b.end()}; }

void send(const base::unique_fd& fd, bytes_view payload) {
  ASSERT_EQ(::send(fd.get(), payload.data(), payload.size(), 0), std::ssize(payload));
}
bytes receive(const base::unique_fd& fd) {
  bytes got(70'000);
  const auto size = ::recv(fd.get(), got.data(), got.size(), 0);
  EXPECT_GE(size, 0) << "no answer";
  got.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return got;
}

class exposed_udp_test : public plane_fixture {
 protected:
  void SetUp() override { start(); }
  std::uint16_t expose(const net::address& ip = net::address::loopback_v4(), const endpoint& to = served) {
    const auto port = support::free_port(SOCK_DGRAM);
    const auto done = plane().expose(net::protocol::udp, {ip, port}, to);
    EXPECT_TRUE(done) << done.error().message();
    return port;
  }
  static base::unique_fd client(std::uint16_t port, const net::address& ip = net::address::loopback_v4()) {
    return support::connected_socket(SOCK_DGRAM, {ip, port});
  }
  [[nodiscard]] std::uint64_t flows() { return now(plane().count().udp_flows); }
};

TEST_F(exposed_udp_test, each_client_has_a_port_of_the_gateway_and_gets_its_own_answers) {
  auto machine = join();
  const auto port = expose();
  std::vector<base::unique_fd> clients;
  std::vector<endpoint> sources;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(client(port));
    send(clients.back(), text(std::to_string(i)));
    const auto got = machine.next_datagram();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->to, served);
    EXPECT_EQ(as_text(got->payload), std::to_string(i));
    EXPECT_EQ(got->from.address, gateway);
    EXPECT_TRUE(udp_ports.contains(got->from.port));
    sources.push_back(got->from);
  }
  for (std::size_t i = clients.size(); i-- > 0;) machine.put_udp(served.port, sources[i], text(std::to_string(i)));
  for (std::size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(as_text(receive(clients[i])), std::to_string(i));
  EXPECT_EQ(flows(), 50U);
  const auto ports = plane().ports();
  ASSERT_EQ(ports.size(), 1U);
  EXPECT_EQ(ports.front().connections, 50U);
  EXPECT_EQ(ports.front().open, 50U);
  EXPECT_EQ(ports.front().received, 90U) << "ten numbers of one digit, forty of two";
  EXPECT_EQ(ports.front().sent, 90U);
}

TEST_F(exposed_udp_test, datagrams_of_every_size_pass_unchanged_and_an_empty_one_ends_nothing) {
  auto machine = join();
  const auto fd = client(expose());
  for (const std::size_t size : {0UL, 1UL, 1'472UL, 1'473UL, 9'000UL, 65'507UL, 0UL, 1UL}) {
    const auto payload = counting(size);
    send(fd, payload);
    const auto got = machine.next_datagram();
    ASSERT_TRUE(got) << size;
    EXPECT_EQ(got->payload, payload);
    machine.put_udp(served.port, got->from, payload);
    EXPECT_EQ(receive(fd), payload) << size;
  }
  EXPECT_EQ(flows(), 1U);
  EXPECT_EQ(now(plane().count().datagrams_dropped), 0U);
}

TEST_F(exposed_udp_test, a_flow_lives_for_ninety_seconds_after_its_last_datagram_of_either_side) {
  auto machine = join();
  const auto fd = client(expose());
  send(fd, text("1"));
  auto got = machine.next_datagram();
  ASSERT_TRUE(got);
  const auto source = got->from;
  pass(89s);
  machine.put_udp(served.port, source, text("answer"));
  EXPECT_EQ(as_text(receive(fd)), "answer");
  pass(89s);
  send(fd, text("2"));
  got = machine.next_datagram();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->from, source) << "the same flow";
  EXPECT_EQ(flows(), 1U);
  pass(90s);
  EXPECT_EQ(flows(), 0U);
}

TEST_F(exposed_udp_test, an_answer_to_a_client_that_has_ended_meets_a_closed_port) {
  auto machine = join();
  const auto fd = client(expose());
  send(fd, text("1"));
  const auto got = machine.next_datagram();
  ASSERT_TRUE(got);
  pass(91s);
  machine.put_udp(served.port, got->from, text("late"));
  const auto error = machine.next_icmp();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->what.code, static_cast<std::uint8_t>(netstack::icmp::unreachable::port));
  EXPECT_EQ(netstack::icmp::parse_quoted(error->what)->destination_port, got->from.port);
}

TEST_F(exposed_udp_test, a_closed_port_of_the_vm_ends_the_flow_and_the_next_datagram_begins_anew) {
  auto machine = join();
  const auto fd = client(expose());
  send(fd, text("1"));
  const auto first = machine.next([](const auto& p) { return p.is(netstack::ipv4::protocol::udp); });
  ASSERT_TRUE(first);
  // The VM's kernel quotes the packet that it refuses.
  netstack::ipv4::packet refused = first->packet;
  bytes whole = netstack::make_packet(
      {.source = refused.source, .destination = refused.destination, .protocol = netstack::ipv4::protocol::udp},
      first->kept);
  const auto quoted = netstack::ipv4::parse(whole);
  ASSERT_TRUE(quoted);
  machine.put_icmp(gateway, netstack::icmp::make_error(netstack::icmp::type::unreachable, 3, *quoted));
  EXPECT_TRUE(soon([&] { return flows() == 0; }));
  send(fd, text("2"));
  EXPECT_TRUE(machine.next_datagram());
  EXPECT_EQ(flows(), 1U);
}

TEST_F(exposed_udp_test, an_answer_leaves_from_the_address_that_the_client_wrote_to) {
  auto machine = join();
  const auto port = expose(net::address::any_v4());
  for (const auto& ip : {net::address::loopback_v4(), net::address::v4(127, 1, 2, 3), net::address::loopback_v6()}) {
    const auto fd = client(port, ip);  // takes datagrams from that address alone
    send(fd, text("1"));
    const auto got = machine.next_datagram();
    ASSERT_TRUE(got) << ip.to_string();
    machine.put_udp(served.port, got->from, text(ip.to_string()));
    EXPECT_EQ(as_text(receive(fd)), ip.to_string());
  }
}

TEST_F(exposed_udp_test, a_stopped_port_ends_its_flows_and_no_other) {
  auto machine = join();
  const auto one = expose(), two = expose();
  const auto a = client(one), b = client(two);
  send(a, text("a"));
  ASSERT_TRUE(machine.next_datagram());
  send(b, text("b"));
  const auto got = machine.next_datagram();
  ASSERT_TRUE(got);
  plane().stop(net::protocol::udp, loopback(one));
  EXPECT_EQ(flows(), 1U);
  machine.put_udp(served.port, got->from, text("still"));
  EXPECT_EQ(as_text(receive(b)), "still");
  EXPECT_TRUE(plane().expose(net::protocol::udp, loopback(one), served));
}

TEST_F(exposed_udp_test, one_client_at_two_ports_of_one_server_is_two_flows) {
  auto machine = join();
  const auto one = expose(), two = expose();
  const auto fd = udp_server();
  std::vector<endpoint> sources;
  for (const auto port : {one, two}) {
    const auto at = net::to_sockaddr(loopback(port));
    ASSERT_EQ(::sendto(fd.get(), "x", 1, 0, at.get(), at.size), 1);
    const auto got = machine.next_datagram();
    ASSERT_TRUE(got);
    sources.push_back(got->from);
  }
  EXPECT_NE(sources[0], sources[1]);
}

TEST_F(exposed_udp_test, without_a_vm_datagrams_wait_within_a_bound_and_the_port_lives) {
  const auto fd = client(expose());
  for (int i = 0; i < 500; ++i) send(fd, counting(1'000));
  ASSERT_TRUE(soon([&] { return flows() == 1; }));
  turn();
  EXPECT_LE(plane().statistics().queued_bytes, netstack::stack_limits{}.queued_packets);
  auto machine = join();
  EXPECT_TRUE(machine.next_datagram());
  send(fd, text("now"));
  EXPECT_TRUE(machine.next([](const auto& p) {
    const auto d = netstack::udp::parse(p);
    return d && d->payload.size() == 3;
  }));
}

// Each of very many clients sends one datagram. All of 127.0.0.0/8 is this host's, so one socket is all of them.
class many_clients {
 public:
  many_clients() : fd_(support::bound_socket(SOCK_DGRAM, {net::address::any_v4(), 0})) {}
  void send(std::uint32_t number, std::uint16_t port) const {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
    auto to = net::to_sockaddr(loopback(port));
    char byte = 'x';
    iovec vector{&byte, 1};
    msghdr message{};
    message.msg_name = to.get();
    message.msg_namelen = to.size;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* const c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    in_pktinfo from{};
    from.ipi_spec_dst.s_addr = htonl((127U << 24U) + (1U << 16U) + number);
    std::memcpy(CMSG_DATA(c), &from, sizeof from);
    ASSERT_EQ(::sendmsg(fd_.get(), &message, 0), 1);
  }

 private:
  base::unique_fd fd_;
};

TEST_F(exposed_udp_test, beyond_the_bound_the_client_that_was_idle_for_longest_goes) {
  auto machine = join();
  const auto port = expose();
  const many_clients clients;
  std::optional<endpoint> first;
  constexpr auto most = static_cast<std::uint32_t>(udp_clients::most_flows);
  for (std::uint32_t i = 0; i < most + 10; ++i) {
    clients.send(i, port);
    if (i % 256 != 0 && i < most) continue;
    ASSERT_TRUE(soon([&] { return flows() == std::min(i + 1, most); })) << i;
    while (const auto got = machine.next_datagram(1ms))
      if (!first) first = got->from;
    if (!first) first = machine.next_datagram()->from;
  }
  EXPECT_TRUE(soon([&] { return now(plane().count().udp_flows_evicted) == 10; }));
  EXPECT_EQ(flows(), most);
  machine.put_udp(served.port, *first, text("late"));
  EXPECT_TRUE(machine.next_icmp()) << "the first client has gone";
}

TEST_F(exposed_udp_test, with_source_address_client_the_vm_sees_who_asks) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns host("source");
  host.ip({"address", "add", "10.0.0.1/32", "dev", "lo"});
  host.ip({"address", "add", "10.0.0.5/32", "dev", "lo"});
  host.run([&] {
    auto options = usual();
    options.sources = source_address::client;
    start(std::move(options));
    auto machine = join();
    const auto port = expose(net::address::any_v4());
    const auto fd = support::bound_socket(SOCK_DGRAM, {net::address::v4(10, 0, 0, 5), 4711});
    const auto at = net::to_sockaddr({net::address::v4(10, 0, 0, 1), port});
    ASSERT_EQ(::connect(fd.get(), at.get(), at.size), 0);
    send(fd, text("who am I"));
    const auto got = machine.next_datagram();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->from, (endpoint{{0x0a00'0005}, 4711}));
    machine.put_udp(served.port, got->from, text("10.0.0.5"));
    EXPECT_EQ(as_text(receive(fd)), "10.0.0.5");
    const auto local = client(port);
    send(local, text("and I"));
    const auto second = machine.next_datagram();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->from.address, gateway);
    plane_.reset();
  });
}

}  // namespace
}  // namespace translator
