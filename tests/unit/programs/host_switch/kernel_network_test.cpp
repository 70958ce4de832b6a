// The API's socket and the interfaces. forwarder_test has the port that both the API and a forward use.
#include "programs/host_switch/kernel_network.hpp"

#include <gmock/gmock.h>

#include <optional>

#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"
#include "tests/support/socket_peer.hpp"

namespace host_switch {
namespace {

using namespace std::chrono_literals;

constexpr auto loopback = net::address::loopback_v4();
const net::endpoint api{net::address::v4(192, 168, 127, 1), 80};

// A host, its VM at eth0, and a second interface at which another machine is.
class kernel_network_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    host_.emplace("host"), vm_.emplace("vm"), other_.emplace("other");
    support::connect({&*host_, "eth0", "192.168.127.1/24"}, {&*vm_, "eth0", "192.168.127.2/24"});
    support::connect({&*host_, "eth1", "10.0.0.1/24"}, {&*other_, "eth0", "10.0.0.2/24"});
    other_->ip({"route", "add", "192.168.127.0/24", "via", "10.0.0.1"});
  }
  template <class Steps>
  void with_network(Steps steps) const {
    host_->run([&] {
      support::event_loop loop;  // before the network, which watches addresses by it
      kernel_network network(api);
      steps(loop, network);
      loop.stop();
    });
  }
  [[nodiscard]] static bool reaches(const support::netns& from) {
    return from.run([] {
      const auto fd = support::make_socket(SOCK_STREAM, api.ip);
      const auto at = net::to_sockaddr(api);
      return ::connect(fd.get(), at.get(), at.size) == 0;
    });
  }
  static void move_address(const support::netns& host, const std::string& from, const std::string& to) {
    host.ip({"address", "del", "192.168.127.1/24", "dev", from});
    host.ip({"address", "add", "192.168.127.1/24", "dev", to});
  }
  static async::task<> wait(kernel_network& network, bool& moved) {
    co_await network.api_moves();
    moved = true;
  }

  std::optional<support::netns> host_, vm_, other_;
};

TEST_F(kernel_network_test, the_api_is_for_the_vm_alone) {
  with_network([&](support::event_loop& loop, kernel_network& network) {
    const auto listening = network.listen_for_api(loop.executor());
    ASSERT_TRUE(listening) << listening.error().message();
    EXPECT_TRUE(reaches(*vm_));
    EXPECT_FALSE(reaches(*other_)) << "it arrives at another interface";
  });
}

TEST_F(kernel_network_test, the_api_is_there_before_its_address_and_moves_when_the_address_comes) {
  host_->ip({"address", "del", "192.168.127.1/24", "dev", "eth0"});
  with_network([&](support::event_loop& loop, kernel_network& network) {
    auto listening = network.listen_for_api(loop.executor());
    ASSERT_TRUE(listening) << listening.error().message();
    bool moved = false;
    loop.spawn(wait(network, moved));
    loop.settle();
    EXPECT_FALSE(moved);
    host_->ip({"address", "add", "192.168.127.1/24", "dev", "eth0"});
    EXPECT_TRUE(loop.run_until([&] { return moved; }));
    listening->reset();
    listening = network.listen_for_api(loop.executor());
    ASSERT_TRUE(listening) << listening.error().message();
    EXPECT_TRUE(reaches(*vm_));
    EXPECT_FALSE(reaches(*other_)) << "the new socket is not bound to the interface";
  });
}

TEST_F(kernel_network_test, the_api_moves_with_its_address_and_with_no_other) {
  with_network([&](support::event_loop& loop, kernel_network& network) {
    const auto listening = network.listen_for_api(loop.executor());
    ASSERT_TRUE(listening) << listening.error().message();
    bool moved = false;
    loop.spawn(wait(network, moved));
    host_->ip({"address", "add", "10.0.0.77/24", "dev", "eth1"});
    loop.settle();
    EXPECT_FALSE(moved) << "another address has changed";
    move_address(*host_, "eth0", "eth1");
    EXPECT_TRUE(loop.run_until([&] { return moved; }));
  });
}

TEST_F(kernel_network_test, a_change_of_addresses_is_worth_another_try) {
  with_network([&](support::event_loop& loop, kernel_network& network) {
    const auto holder = network.open_api_socket({});
    ASSERT_TRUE(holder) << holder.error().message();
    EXPECT_EQ(kernel_network(api).listen_for_api(loop.executor()).error().code, std::errc::address_in_use);
    bool again = false;
    auto wait_for_it = [](kernel_network& one, bool& flag) -> async::task<> {
      co_await one.api_may_return();
      flag = true;
    };
    loop.spawn(wait_for_it(network, again));
    loop.settle();
    loop.pass_time(10s);
    EXPECT_TRUE(loop.run_until([&] { return again; })) << "also without a change, after a while";
  });
}

TEST_F(kernel_network_test, an_interface_that_is_gone_is_an_error_with_its_name) {
  host_->run([] {
    kernel_network network(api);
    const auto failed = network.open_api_socket(api_device{"tap9", 99});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, std::errc::no_such_device);
    EXPECT_THAT(failed.error().message(), testing::HasSubstr("bind to tap9"));
  });
}

TEST(kernel_network, a_forward_of_the_wildcard_is_for_both_families_until_it_is_stopped) {
  kernel_network network({loopback, support::free_port()});
  const auto target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const net::endpoint at{net::address::any_v4(), support::free_port()};
  const auto made = network.forward(net::protocol::tcp, at, support::local_endpoint(target.get()));
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(network.forward(net::protocol::tcp, at, {loopback, 9}).error().code, std::errc::file_exists);
  for (const auto& ip : {loopback, net::address::loopback_v6()}) {
    const auto client = support::connected_socket(SOCK_STREAM, {ip, at.port});
    support::send_all(client.get(), "x");
    EXPECT_EQ(support::read_exactly(support::accept_one(target.get()).get(), 1), "x");
  }
  const auto counted = network.ports();
  ASSERT_EQ(counted.size(), 1U);
  EXPECT_EQ(counted[0].key, (net::listen_key{net::protocol::tcp, at.ip, at.port}));
  EXPECT_EQ(counted[0].connections, 2U);
  network.stop(net::protocol::tcp, at);
  EXPECT_THROW(support::connected_socket(SOCK_STREAM, {loopback, at.port}), std::system_error);
}

}  // namespace
}  // namespace host_switch
