#include "kernel/netlink/route.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"

namespace netlink {
namespace {

net::address ip(const char* text) { return net::address::parse(text).value(); }

TEST(route, tells_own_addresses_neighbours_and_what_is_behind_a_gateway) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns here("route"), there("route2");
  support::connect({&here, "e0", "192.168.77.1/24"}, {&there, "e0", "192.168.77.2/24"});
  here.ip({"route", "add", "default", "via", "192.168.77.2"});
  const auto to = [&](const char* text) { return here.run([&] { return route_to(ip(text)); }); };
  EXPECT_EQ(to("192.168.77.1")->kind, route_kind::local);
  EXPECT_EQ(to("127.0.0.1")->kind, route_kind::local);
  EXPECT_EQ(to("192.168.77.255")->kind, route_kind::other);
  EXPECT_EQ(to("192.168.77.2")->kind, route_kind::unicast);
  EXPECT_FALSE(to("192.168.77.2")->by_gateway);
  EXPECT_TRUE(to("198.51.100.1")->by_gateway);
  EXPECT_EQ(to("198.51.100.1")->interface, to("192.168.77.2")->interface);
  EXPECT_FALSE(to("2001:db8::1")) << "no route is not a route";
}

TEST(route, an_address_is_local_by_an_interface_or_a_local_route) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns here("local"), there("local2");
  support::connect({&here, "e0", "192.168.77.1/24"}, {&there, "e0", "192.168.77.2/24"});
  here.ip({"route", "add", "local", "198.51.100.0/24", "dev", "lo"});
  here.ip({"route", "add", "blackhole", "203.0.113.0/24"});
  here.ip({"route", "add", "prohibit", "203.0.114.0/24"});
  const auto is_local = [&](const char* text) { return here.run([&] { return is_local_address(ip(text)); }); };
  for (const auto* local : {"127.0.0.9", "192.168.77.1", "198.51.100.7", "::1"}) EXPECT_EQ(is_local(local), true);
  for (const auto* other : {"192.168.77.2", "203.0.113.1", "203.0.114.1", "10.9.9.9", "2001:db8::1"})
    EXPECT_EQ(is_local(other), false) << other;
}

// A security module may deny the question. That is not the kernel's answer "no route".
TEST(route, an_address_that_cannot_be_asked_about_is_an_error) {
  for (const auto call : {support::refused_call{__NR_socket, 0, AF_NETLINK, EACCES},
                          support::refused_call{__NR_sendto, 3, MSG_NOSIGNAL, EACCES}}) {
    base::result<bool> local = true;
    if (!support::run_without(call, [&] { local = is_local_address(ip("192.0.2.1")); }))
      GTEST_SKIP() << "the kernel takes no filter";
    ASSERT_FALSE(local) << call.number;
    EXPECT_EQ(local.error().code, std::errc::permission_denied);
  }
}

TEST(route, an_answer_that_is_cut_is_an_error) {
  const std::array<std::byte, 64> zeros{};
  for (std::size_t size = 0; size <= zeros.size(); ++size) EXPECT_FALSE(parse_route(std::span(zeros).first(size)));
}

}  // namespace
}  // namespace netlink
