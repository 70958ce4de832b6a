#include "hostswitch/forwarder.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/support/socket_peer.hpp"

namespace hostswitch {
namespace {

using testing::HasSubstr;

constexpr auto loopback = net::address::loopback_v4();

class Forwarder : public testing::Test {
 protected:
  http::response post(const std::string& call, const std::string& body) {
    return forwards_.answer({.method = "POST", .target = "/services/forwarder/" + call, .headers = {}, .body = body},
                            "127.0.0.1");
  }
  http::response expose(const std::string& local, const std::string& remote = "127.0.0.1:9",
                        const std::string& protocol = "tcp") {
    return post("expose", fmt::format(R"({{"local":"{}","remote":"{}","protocol":"{}"}})", local, remote, protocol));
  }
  http::response unexpose(const std::string& local, const std::string& protocol = "tcp") {
    return post("unexpose", fmt::format(R"({{"local":"{}","protocol":"{}"}})", local, protocol));
  }
  std::string all() { return forwards_.answer({.method = "GET", .target = "/services/forwarder/all"}, "").body; }
  static std::string at(std::uint16_t port, const char* ip = "127.0.0.1") { return fmt::format("{}:{}", ip, port); }

  kernel_network network_{{loopback, support::free_port()}};
  forwarder forwards_{network_};
};

TEST_F(Forwarder, ExposesRelaysAndUnexposes) {
  const auto target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const auto port = support::free_port();
  const auto made = expose(at(port), net::to_string(support::local_endpoint(target.get())));
  EXPECT_EQ(made.status, 200U);
  EXPECT_EQ(made.body, "");
  const auto client = support::connected_socket(SOCK_STREAM, {loopback, port});
  const auto server = support::accept_one(target.get());
  EXPECT_EQ(unexpose(at(port)).status, 200U);
  EXPECT_THROW(support::connected_socket(SOCK_STREAM, {loopback, port}), std::system_error);
  support::send_all(client.get(), "lives on");
  EXPECT_EQ(support::read_exactly(server.get(), 8), "lives on");
}

TEST_F(Forwarder, AnswersAreWordForWord) {
  const auto port = support::free_port();
  ASSERT_EQ(expose(at(port)).status, 200U);
  const auto again = expose(at(port));
  EXPECT_EQ(again.status, 500U);
  EXPECT_EQ(again.body, "proxy already running for tcp on " + at(port) + "\n");
  EXPECT_EQ(unexpose(at(support::free_port())).body, "proxy not found\n");
  EXPECT_EQ(expose(at(port), "127.0.0.1:9", "TCP").body, "unknown protocol TCP\n");
  EXPECT_EQ(expose(at(port + 1), "[::1]:9").body, "invalid remote addr\n");
  EXPECT_EQ(expose(at(port + 1), "name:9").status, 500U);
  EXPECT_EQ(expose(at(port + 1), "127.0.0.1").status, 400U);
  EXPECT_EQ(post("expose", "{").status, 400U);
  const auto get = forwards_.answer({.method = "GET", .target = "/services/forwarder/expose"}, "");
  EXPECT_EQ(get.status, 400U);
  EXPECT_EQ(get.body, "post only\n");
  EXPECT_EQ(forwards_.answer({.method = "GET", .target = "/other"}, "").status, 404U);
}

TEST_F(Forwarder, ABusyPortIsToldInTheKernelsWords) {
  const auto holder = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const auto local = net::to_string(support::local_endpoint(holder.get()));
  const auto answer = expose(local);
  EXPECT_EQ(answer.status, 500U);
  EXPECT_EQ(answer.body, "listen tcp " + local + ": bind: address already in use\n");
  EXPECT_EQ(all(), "[]\n");
}

TEST_F(Forwarder, AForwardToItselfIsToldAsSuch) {
  const auto local = at(support::free_port());
  EXPECT_EQ(expose(local, local).body, "listen tcp " + local + ": would relay to itself\n");
}

TEST_F(Forwarder, ListensOnUnixSocketsAndPipesForNoVm) {
  EXPECT_EQ(expose("/tmp/x.sock", "127.0.0.1:9", "unix").body, "unknown protocol unix\n");
  EXPECT_EQ(expose("pipe", "127.0.0.1:9", "npipe").body, "unknown protocol npipe\n");
  const auto with_url = expose("/tmp/x.sock", "ssh-tunnel://root@192.168.127.2/run/x.sock?key=k", "unix");
  EXPECT_EQ(with_url.status, 500U);
  EXPECT_EQ(with_url.body, "unknown protocol unix\n");
}

TEST_F(Forwarder, IdentityIsTextButTheAddressIsOne) {
  const auto port = support::free_port();
  ASSERT_EQ(expose(at(port, "")).status, 200U);
  EXPECT_THAT(expose(at(port, "0.0.0.0")).body, HasSubstr("address already in use"));
  EXPECT_EQ(unexpose(at(port, "0.0.0.0")).body, "proxy not found\n");
  EXPECT_EQ(unexpose(at(port, "")).status, 200U);
}

TEST_F(Forwarder, TheWildcardIsForBothFamilies) {
  const auto target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const auto port = support::free_port();
  ASSERT_EQ(expose(at(port, "0.0.0.0"), net::to_string(support::local_endpoint(target.get()))).status, 200U);
  for (const auto& ip : {loopback, net::address::loopback_v6()}) {
    const auto client = support::connected_socket(SOCK_STREAM, {ip, port});
    EXPECT_NO_THROW(support::accept_one(target.get())) << ip.to_string();
  }
}

TEST_F(Forwarder, TcpAndUdpOfOneNumberAreTwoAndListedInOrder) {
  const auto port = support::free_port();
  ASSERT_EQ(expose(at(port), ":9", "udp").status, 200U);
  ASSERT_EQ(expose(at(port), ":9", "tcp").status, 200U);
  EXPECT_EQ(
      all(),
      fmt::format(
          R"([{{"local":"{0}","remote":"127.0.0.1:9","protocol":"tcp"}},{{"local":"{0}","remote":"127.0.0.1:9","protocol":"udp"}}])",
          at(port)) +
          "\n");
}

TEST_F(Forwarder, TheApisPortCanBeForwardedFromTheWildcard) {
  const net::endpoint api{loopback, support::free_port()};
  kernel_network network(api);
  const auto api_socket = network.listen_for_api();
  ASSERT_TRUE(api_socket) << api_socket.error().message();
  const auto target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const auto made =
      network.forward(net::protocol::tcp, {net::address::any_v4(), api.port}, support::local_endpoint(target.get()));
  ASSERT_TRUE(made) << made.error().message();
  const auto to_api = support::connected_socket(SOCK_STREAM, api);
  EXPECT_TRUE(
      support::eventually([&] { return base::unique_fd(::accept(api_socket->get(), nullptr, nullptr)).get() >= 0; }));
  const auto to_vm = support::connected_socket(SOCK_STREAM, {net::address::v4(127, 0, 0, 2), api.port});
  EXPECT_NO_THROW(support::accept_one(target.get()));
}

TEST_F(Forwarder, TheApisPortIsSharedWithOneWildcardOfThisProgramAlone) {
  const net::endpoint api{loopback, support::free_port()};
  kernel_network network(api), second(api);
  const auto api_socket = network.listen_for_api();
  ASSERT_TRUE(api_socket) << api_socket.error().message();
  EXPECT_EQ(second.listen_for_api().error().code, std::errc::address_in_use) << "two instances would take turns";
  const auto listen = [&](const net::address& ip) {
    return network.forward(net::protocol::tcp, {ip, api.port}, {loopback, 9});
  };
  EXPECT_EQ(listen(loopback).error().code, std::errc::address_in_use);
  ASSERT_TRUE(listen(net::address::any_v4()));
  EXPECT_EQ(listen(net::address::any_v6()).error().code, std::errc::address_in_use);
  network.stop(net::protocol::tcp, {net::address::any_v4(), api.port});
  EXPECT_TRUE(listen(net::address::any_v6()));
}

TEST_F(Forwarder, ABusyPortIsBusyThoughItIsTheApis) {
  const net::endpoint api{net::address::v4(127, 0, 0, 3), support::free_port()};
  kernel_network network(api);
  const auto api_socket = network.listen_for_api();
  ASSERT_TRUE(api_socket) << api_socket.error().message();
  const auto holder = support::bound_socket(SOCK_STREAM, {net::address::v4(127, 0, 0, 4), api.port});
  const auto wildcard = network.forward(net::protocol::tcp, {net::address::any_v4(), api.port}, {loopback, 9});
  EXPECT_EQ(wildcard.error().code, std::errc::address_in_use);
}

TEST_F(Forwarder, TheApiComesBackWhereItWas) {
  const net::endpoint api{loopback, support::free_port()};
  for (int i = 0; i < 2; ++i) {
    kernel_network network(api);
    const auto api_socket = network.listen_for_api();
    ASSERT_TRUE(api_socket) << api_socket.error().message();
    ASSERT_TRUE(network.forward(net::protocol::tcp, {net::address::any_v4(), api.port}, {loopback, 9}));
    const auto client = support::connected_socket(SOCK_STREAM, api);
    ::close(::accept(api_socket->get(), nullptr, nullptr));  // first to close: the port stays in TIME_WAIT for a while
  }
}

}  // namespace
}  // namespace hostswitch
