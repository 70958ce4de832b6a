#include "programs/host_switch/api_server.hpp"

#include <gmock/gmock.h>

#include <sys/syscall.h>

#include "programs/host_switch/kernel_network.hpp"
#include "programs/host_switch/static_forward.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/socket_peer.hpp"

namespace host_switch {
namespace {

constexpr auto loopback = net::address::loopback_v4();

async::task<http::answer> greet(http::incoming) { co_return http::answer{{200, {}, "hello"}, {}}; }

bool connects(const net::endpoint& to) {
  const auto fd = support::make_socket(SOCK_STREAM, to.ip);
  const auto address = net::to_sockaddr(to);
  return ::connect(fd.get(), address.get(), address.size) == 0;
}

TEST(api_server, a_busy_port_is_served_once_it_is_free) {
  auto holder = support::bound_socket(SOCK_STREAM, {loopback, 0});
  support::event_loop loop;  // before the network, which watches addresses by it
  kernel_network network(support::local_endpoint(holder.get()));
  testing::internal::CaptureStderr();
  loop.spawn(serve_api(&network, greet, {}, {}));
  loop.run_until([] { return false; }, std::chrono::milliseconds(50));
  holder.reset();
  EXPECT_TRUE(loop.run_until([&] { return connects(network.api()); }));
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("WARN api: cannot listen api=" + net::to_string(network.api())));
  EXPECT_THAT(log, testing::HasSubstr("INFO api: cannot listen api=" + net::to_string(network.api()) + " ended"));
  loop.stop();
}

TEST(api_server, does_not_listen_while_the_interfaces_cannot_be_read) {
  kernel_network network({loopback, support::free_port()});
  testing::internal::CaptureStderr();
  const bool ran = support::run_without({SYS_socket, 0, AF_NETLINK, EMFILE}, [&] {
    support::event_loop loop;
    loop.spawn(serve_api(&network, greet, {}, {}));
    EXPECT_FALSE(loop.run_until([&] { return connects(network.api()); }, std::chrono::milliseconds(50)));
    loop.stop();
  });
  const std::string log = testing::internal::GetCapturedStderr();
  if (!ran) GTEST_SKIP() << "no seccomp filters here";
  EXPECT_THAT(log, testing::HasSubstr("WARN api: cannot listen"));
}

TEST(static_forward, a_busy_port_is_forwarded_once_it_is_free) {
  auto holder = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const auto local = support::local_endpoint(holder.get());
  const auto target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const auto remote = net::to_string(support::local_endpoint(target.get()));
  kernel_network network({loopback, support::free_port()});
  const access_policy policy(subnet::parse("10.0.0.0/8").value(), network.api(), {}, [](const auto&) { return false; });
  forwarder forwards(network, policy, 1);
  EXPECT_EQ(forwards.expose_static({net::to_string(local), remote, "tcp"}).error().code, std::errc::address_in_use);
  support::event_loop loop;
  loop.spawn(keep_trying(&forwards, {net::to_string(local), remote, "tcp"}));
  loop.run_until([] { return false; }, std::chrono::milliseconds(50));
  EXPECT_TRUE(forwards.all().empty());
  holder.reset();
  EXPECT_TRUE(loop.run_until([&] { return !forwards.all().empty(); }));
  const auto client = support::connected_socket(SOCK_STREAM, local);
  EXPECT_NO_THROW(support::accept_one(target.get()));
}

TEST(api_server, knows_which_failures_are_temporary) {
  EXPECT_TRUE(may_pass(std::make_error_code(std::errc::address_in_use)));
  EXPECT_TRUE(may_pass(std::error_code(EMFILE, std::system_category())));
  EXPECT_FALSE(may_pass(std::error_code(EACCES, std::system_category())));
  EXPECT_FALSE(may_pass({}));
}

}  // namespace
}  // namespace host_switch
