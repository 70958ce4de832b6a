// Destinations that the host cannot reach: the VM learns what the host's kernel says. Needs root.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/unit/translator/plane_fixture.hpp"

namespace translator {
namespace {

using netstack::icmp::unreachable;

constexpr netstack::ipv4::address far{0xc633'6407};  // 198.51.100.7, of no network here

class unreachable_test : public plane_fixture {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    host_.emplace("unreachable");
  }
  // A network where `far` has a MAC address that no interface has: what is sent there has no answer.
  void make_void() const {
    host_->ip({"link", "add", "void", "type", "veth", "peer", "name", "end"});
    host_->ip({"address", "add", "198.51.100.1/24", "dev", "void"});
    for (const auto* one : {"void", "end"}) host_->ip({"link", "set", one, "up"});
    host_->ip({"neighbour", "add", "198.51.100.7", "lladdr", "02:00:00:00:00:77", "dev", "void"});
  }
  std::optional<support::netns> host_;
};

TEST_F(unreachable_test, each_refusal_of_the_hosts_kernel_is_the_icmp_error_that_says_so) {
  host_->ip({"route", "add", "unreachable", "198.51.100.1/32"});
  host_->ip({"route", "add", "prohibit", "198.51.100.2/32"});
  host_->run([&] {
    start();
    auto machine = join();
    const std::vector<std::pair<netstack::ipv4::address, unreachable>> each{
        {{0xc633'6401}, unreachable::host},
        {{0xc633'6402}, unreachable::administratively_prohibited},
        {{0xc633'6403}, unreachable::network}};
    std::uint16_t port = 40'000;
    for (const auto& [address, code] : each) {
      vm_connection c(machine, ++port, {address, 80});
      c.syn();
      const auto error = machine.next_icmp();
      ASSERT_TRUE(error) << int(code);
      EXPECT_EQ(error->from, gateway);
      EXPECT_TRUE(error->what.is(netstack::icmp::type::unreachable));
      EXPECT_EQ(error->what.code, static_cast<std::uint8_t>(code));
      const auto about = netstack::icmp::parse_quoted(error->what);
      ASSERT_TRUE(about);
      EXPECT_EQ(about->packet.destination, address);
      EXPECT_EQ(about->source_port, port);
      EXPECT_FALSE(c.absorb(a_moment)) << "and no reset";
    }
    EXPECT_TRUE(is_quiet());
    plane_.reset();
  });
}

// The kernel gives up after one repetition here, three seconds on the whole.
TEST_F(unreachable_test, a_connect_that_nothing_answers_ends_in_silence_and_may_be_tried_again) {
  make_void();
  host_->run([&] {
    std::ofstream("/proc/sys/net/ipv4/tcp_syn_retries") << 1;
    start();
    auto machine = join();
    vm_connection c(machine, 40'000, {far, 80});
    c.syn();
    ASSERT_TRUE(soon([&] { return plane().statistics().flows == 1; }));
    ASSERT_TRUE(support::eventually(30s, [&] { return plane().statistics().connects_failed == 1; }));
    EXPECT_FALSE(c.absorb(a_moment));
    EXPECT_FALSE(machine.next_icmp(a_moment));
    EXPECT_TRUE(is_quiet());
    c = vm_connection(machine, 40'000, {far, 80});
    c.syn();
    EXPECT_TRUE(soon([&] { return plane().statistics().flows == 1; }));
    plane_.reset();
  });
}

TEST_F(unreachable_test, two_hundred_connects_without_an_answer_delay_no_other) {
  make_void();
  host_->run([&] {
    start();
    auto machine = join();
    const auto server = tcp_server();
    for (std::uint16_t port = 0; port < 200; ++port)
      vm_connection(machine, static_cast<std::uint16_t>(50'000 + port), {far, 80}).syn();
    ASSERT_TRUE(soon([&] { return plane().statistics().half_open == 200; }));
    EXPECT_TRUE(vm_connection(machine, 40'000, by_alias(server)).connect());
    EXPECT_EQ(plane().statistics().half_open, 200U);
    plane_.reset();
  });
}

// With one port to choose from, a connection to that port takes it as its source. On a slow interface the kernel
// reports it later, as under load.
TEST_F(unreachable_test, a_connection_that_meets_itself_later_is_a_refusal) {
  constexpr std::uint16_t port = 40'404;
  support::run_or_throw(
      {.argv = {"tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "40kbit", "burst", "1600", "latency", "10s"},
       .net_namespace = host_->path()});
  host_->run([&] {
    std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << port << ' ' << port;
    const auto drain = support::bound_socket(SOCK_DGRAM, loopback(9));
    start();
    auto machine = join();
    const auto full = net::to_sockaddr(loopback(9));
    const bytes filler(1'500);
    ASSERT_EQ(::sendto(drain.get(), filler.data(), filler.size(), 0, full.get(), full.size), ssize_t(filler.size()));
    vm_connection c(machine, 40'000, {host_alias, port});
    c.syn();
    EXPECT_TRUE(c.until([&] { return c.was_reset || c.connected; }));
    EXPECT_TRUE(c.was_reset) << "it is connected to itself";
    EXPECT_TRUE(is_quiet());
    plane_.reset();
  });
}

}  // namespace
}  // namespace translator
