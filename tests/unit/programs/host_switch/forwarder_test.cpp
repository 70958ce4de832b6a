#include "programs/host_switch/forwarder.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "programs/host_switch/kernel_network.hpp"
#include "tests/support/socket_peer.hpp"

namespace host_switch {
namespace {

using testing::HasSubstr;

constexpr auto loopback = net::address::loopback_v4(), place_of_vm = net::address::v4(127, 0, 0, 2);

// A network whose VMs are on loopback addresses of this host: 192.168.127.2 is 127.0.0.2.
class vms_on_loopback final : public network {
 public:
  explicit vms_on_loopback(const net::endpoint& api) : routed_(api) {}

  [[nodiscard]] const net::endpoint& api() const override { return routed_.api(); }
  base::result<std::unique_ptr<os::acceptor>> listen_for_api(const async::executor& where) override {
    return routed_.listen_for_api(where);
  }
  async::task<> api_moves() override { return routed_.api_moves(); }
  async::task<> api_may_return() override { return routed_.api_may_return(); }
  base::result<> forward(net::protocol protocol, const net::endpoint& host, const net::endpoint& vm) override {
    return routed_.forward(protocol, host, {net::address::v4(127, 0, 0, vm.ip.data()[3]), vm.port});
  }
  void stop(net::protocol protocol, const net::endpoint& host) override { routed_.stop(protocol, host); }

 private:
  kernel_network routed_;
};

class forwarder_test : public testing::Test {
 protected:
  static http::request request(std::string method, std::string target, std::string body = {}) {
    return {
        .method = std::move(method), .target = std::move(target), .headers = {{"Host", "192.168.127.1"}}, .body = body};
  }
  http::response post(const std::string& call, const std::string& body) {
    return forwards_.answer(request("POST", "/services/forwarder/" + call, body), "192.168.127.2");
  }
  http::response expose(const std::string& local, const std::string& remote = "192.168.127.2:9",
                        const std::string& protocol = "tcp") {
    return post("expose", fmt::format(R"({{"local":"{}","remote":"{}","protocol":"{}"}})", local, remote, protocol));
  }
  http::response unexpose(const std::string& local, const std::string& protocol = "tcp") {
    return post("unexpose", fmt::format(R"({{"local":"{}","protocol":"{}"}})", local, protocol));
  }
  std::string all() { return forwards_.answer(request("GET", "/services/forwarder/all"), "").body; }
  // What listens at the VM's place, as the VM's address.
  static std::string of_vm(int listener) { return at(support::local_endpoint(listener).port, "192.168.127.2"); }
  static std::string at(std::uint16_t port, const char* ip = "127.0.0.1") { return fmt::format("{}:{}", ip, port); }

  // An address of the network that is the host's.
  static base::result<bool> is_host(const net::address& ip) { return ip == net::address::v4(192, 168, 127, 66); }

  net::endpoint api_{net::address::v4(192, 168, 127, 1), support::free_port()};
  vms_on_loopback network_{api_};
  access_policy policy_{subnet::parse("192.168.127.0/24").value(), api_, {}, is_host};
  forwarder forwards_{network_, policy_, 8};
};

TEST_F(forwarder_test, exposes_relays_and_unexposes) {
  const auto target = support::bound_socket(SOCK_STREAM, {place_of_vm, 0});
  const auto port = support::free_port();
  const auto made = expose(at(port), of_vm(target.get()));
  EXPECT_EQ(made.status, 200U);
  EXPECT_EQ(made.body, "");
  const auto client = support::connected_socket(SOCK_STREAM, {loopback, port});
  const auto server = support::accept_one(target.get());
  EXPECT_EQ(unexpose(at(port)).status, 200U);
  EXPECT_THROW(support::connected_socket(SOCK_STREAM, {loopback, port}), std::system_error);
  support::send_all(client.get(), "lives on");
  EXPECT_EQ(support::read_exactly(server.get(), 8), "lives on");
}

TEST_F(forwarder_test, answers_are_word_for_word) {
  const auto port = support::free_port();
  ASSERT_EQ(expose(at(port)).status, 200U);
  const auto again = expose(at(port));
  EXPECT_EQ(again.status, 500U);
  EXPECT_EQ(again.body, "proxy already running for tcp on " + at(port) + "\n");
  EXPECT_EQ(unexpose(at(support::free_port())).body, "proxy not found\n");
  EXPECT_EQ(expose(at(port), "192.168.127.2:9", "TCP").body, "unknown protocol TCP\n");
  EXPECT_EQ(expose(at(port + 1), "[::1]:9").body, "invalid remote addr\n");
  EXPECT_EQ(expose(at(port + 1), "name:9").status, 500U);
  EXPECT_EQ(expose(at(port + 1), "192.168.127.2").status, 400U);
  EXPECT_EQ(post("expose", "{").status, 400U);
  const auto get = forwards_.answer(request("GET", "/services/forwarder/expose"), "");
  EXPECT_EQ(get.status, 400U);
  EXPECT_EQ(get.body, "post only\n");
  EXPECT_EQ(forwards_.answer(request("GET", "/other"), "").status, 404U);
}

TEST_F(forwarder_test, a_busy_port_is_reported_in_the_kernels_words) {
  const auto holder = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const auto local = net::to_string(support::local_endpoint(holder.get()));
  const auto answer = expose(local);
  EXPECT_EQ(answer.status, 500U);
  EXPECT_EQ(answer.body, "listen tcp " + local + ": bind: address already in use\n");
  EXPECT_EQ(all(), "[]\n");
}

TEST_F(forwarder_test, a_forward_to_itself_is_reported) {
  const auto port = support::free_port();
  const auto local = at(port, "127.0.0.2");
  EXPECT_EQ(expose(local, at(port, "192.168.127.2")).body, "listen tcp " + local + ": would relay to itself\n");
}

TEST_F(forwarder_test, listens_on_unix_sockets_and_pipes_for_no_vm) {
  EXPECT_EQ(expose("/tmp/x.sock", "192.168.127.2:9", "unix").body, "unknown protocol unix\n");
  EXPECT_EQ(expose("pipe", "192.168.127.2:9", "npipe").body, "unknown protocol npipe\n");
  const auto with_url = expose("/tmp/x.sock", "ssh-tunnel://root@192.168.127.2/run/x.sock?key=k", "unix");
  EXPECT_EQ(with_url.status, 500U);
  EXPECT_EQ(with_url.body, "unknown protocol unix\n");
}

TEST_F(forwarder_test, identity_is_text_but_the_address_is_one) {
  const auto port = support::free_port();
  ASSERT_EQ(expose(at(port, "")).status, 200U);
  EXPECT_THAT(expose(at(port, "0.0.0.0")).body, HasSubstr("address already in use"));
  EXPECT_EQ(unexpose(at(port, "0.0.0.0")).body, "proxy not found\n");
  EXPECT_EQ(unexpose(at(port, "")).status, 200U);
}

TEST_F(forwarder_test, the_wildcard_is_for_both_families) {
  const auto target = support::bound_socket(SOCK_STREAM, {place_of_vm, 0});
  const auto port = support::free_port();
  ASSERT_EQ(expose(at(port, "0.0.0.0"), of_vm(target.get())).status, 200U);
  for (const auto& ip : {loopback, net::address::loopback_v6()}) {
    const auto client = support::connected_socket(SOCK_STREAM, {ip, port});
    EXPECT_NO_THROW(support::accept_one(target.get())) << ip.to_string();
  }
}

TEST_F(forwarder_test, tcp_and_udp_of_one_number_are_two_and_listed_in_order) {
  const auto port = support::free_port();
  ASSERT_EQ(expose(at(port), ":9", "udp").status, 200U);
  ASSERT_EQ(expose(at(port), ":9", "tcp").status, 200U);
  EXPECT_EQ(
      all(),
      fmt::format(
          R"([{{"local":"{0}","remote":"192.168.127.2:9","protocol":"tcp"}},{{"local":"{0}","remote":"192.168.127.2:9","protocol":"udp"}}])",
          at(port)) +
          "\n");
}

TEST_F(forwarder_test, the_list_is_sorted_by_local_as_text_and_answers_any_method) {
  for (const auto* local : {"127.0.0.3:20001", "127.0.0.20:20001", "127.0.0.3:9001", "127.0.0.3:20000"})
    ASSERT_EQ(expose(local, ":9", std::string_view(local).ends_with('0') ? "udp" : "tcp").status, 200U) << local;
  std::vector<std::string> listed;
  for (const auto& f : forwards_.all()) listed.push_back(f.local);
  EXPECT_THAT(listed, testing::ElementsAre("127.0.0.20:20001", "127.0.0.3:20000", "127.0.0.3:20001", "127.0.0.3:9001"));
  for (const auto* method : {"POST", "PUT", "DELETE"}) {
    const auto answer = forwards_.answer(request(method, "/services/forwarder/all"), "");
    EXPECT_EQ(answer.status, 200U) << method;
    EXPECT_EQ(answer.body, all()) << method;
  }
}

TEST_F(forwarder_test, a_remote_is_an_address_of_the_vms_network_and_not_the_hosts) {
  const auto local = at(support::free_port());
  EXPECT_EQ(expose(local, "10.0.0.1:80").body, "invalid remote addr: remote 10.0.0.1 is not in 192.168.127.0/24\n");
  EXPECT_EQ(expose(local, "192.168.127.66:5432").body,
            "invalid remote addr: remote 192.168.127.66 is an address of the host\n");
  EXPECT_EQ(expose(local, net::to_string(api_)).status, 500U) << "the API itself";
  EXPECT_EQ(expose(local, "192.168.127.0:80").status, 500U) << "the network's own name";
  EXPECT_EQ(expose(local, "192.168.127.255:80", "udp").status, 500U) << "broadcast";
  EXPECT_EQ(all(), "[]\n");
  EXPECT_TRUE(forwards_.expose_static({local, "127.0.0.66:5432", "tcp"})) << "the host's own forwards lead anywhere";
}

TEST_F(forwarder_test, a_key_has_one_text_for_each_port) {
  const auto port = support::free_port();
  const auto zeros = std::string(60'000, '0') + std::to_string(port);
  EXPECT_EQ(expose("127.0.0.1:" + zeros).status, 500U);
  EXPECT_EQ(expose(at(port), "192.168.127.2:" + zeros).body, "invalid remote addr\n");
  EXPECT_EQ(expose(at(port), ":" + zeros).status, 500U);
  EXPECT_EQ(all(), "[]\n");
}

TEST_F(forwarder_test, holds_a_bounded_number_of_forwards_beside_the_hosts_own) {
  ASSERT_TRUE(forwards_.expose_static({at(support::free_port()), "127.0.0.1:9", "tcp"}));
  std::vector<std::string> exposed;
  for (int i = 0; i < 8; ++i) {
    exposed.push_back(at(support::free_port(SOCK_DGRAM)));
    ASSERT_EQ(expose(exposed.back(), "192.168.127.2:9", "udp").status, 200U);
  }
  const auto full = expose(at(support::free_port()));
  EXPECT_EQ(full.status, 500U);
  EXPECT_EQ(full.body, "too many forwards: 8\n");
  ASSERT_EQ(unexpose(exposed.front(), "udp").status, 200U);
  EXPECT_EQ(expose(exposed.front(), "192.168.127.2:9", "udp").status, 200U);
}

TEST_F(forwarder_test, a_static_forward_that_is_taken_back_makes_no_room_for_another) {
  const auto local = at(support::free_port());
  ASSERT_TRUE(forwards_.expose_static({local, "127.0.0.1:9", "tcp"}));
  EXPECT_EQ(forwards_.expose_static({local, "127.0.0.1:9", "tcp"}).error().code, std::errc::file_exists);
  EXPECT_EQ(unexpose(local).status, 200U);
  EXPECT_EQ(unexpose(local).status, 500U);
  for (int i = 0; i < 8; ++i) ASSERT_EQ(expose(at(support::free_port(SOCK_DGRAM)), ":9", "udp").status, 200U);
  EXPECT_EQ(expose(at(support::free_port(SOCK_DGRAM)), ":9", "udp").status, 500U);
}

TEST_F(forwarder_test, refuses_what_a_browser_sends) {
  auto from_a_page = request("POST", "/services/forwarder/expose", R"({"local":":1","remote":"192.168.127.2:9"})");
  from_a_page.headers["Sec-Fetch-Site"] = "cross-site";
  EXPECT_EQ(forwards_.answer(from_a_page, "192.168.127.2").status, 403U);
  auto rebound = request("GET", "/services/forwarder/all");
  rebound.headers["Host"] = "rebind.example";
  EXPECT_EQ(forwards_.answer(rebound, "192.168.127.2").status, 403U);
  EXPECT_EQ(all(), "[]\n");
}

// Otherwise a client that asks in a loop makes the log grow by megabytes a second.
TEST_F(forwarder_test, what_a_client_provokes_is_logged_once_and_then_counted) {
  testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) expose("rubbish");
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(forwards_.answer({.method = "GET", .target = "/"}, "192.168.127.2").status, 400U);
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(log, '\n'), 2) << log;
}

TEST_F(forwarder_test, the_api_comes_back_beside_a_wildcard_of_this_program) {
  const net::endpoint api{loopback, support::free_port()};
  kernel_network network(api);
  ASSERT_TRUE(network.forward(net::protocol::tcp, {net::address::any_v4(), api.port}, {loopback, 9}));
  const auto api_socket = network.open_api_socket({});
  EXPECT_TRUE(api_socket) << api_socket.error().message();
}

TEST_F(forwarder_test, the_apis_port_can_be_forwarded_from_the_wildcard) {
  const net::endpoint api{loopback, support::free_port()};
  kernel_network network(api);
  const auto api_socket = network.open_api_socket({});
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

TEST_F(forwarder_test, the_apis_port_is_shared_with_one_wildcard_of_this_program_alone) {
  const net::endpoint api{loopback, support::free_port()};
  kernel_network network(api), second(api);
  const auto api_socket = network.open_api_socket({});
  ASSERT_TRUE(api_socket) << api_socket.error().message();
  EXPECT_EQ(second.open_api_socket({}).error().code, std::errc::address_in_use) << "two instances would take turns";
  const auto listen = [&](const net::address& ip) {
    return network.forward(net::protocol::tcp, {ip, api.port}, {loopback, 9});
  };
  EXPECT_EQ(listen(loopback).error().code, std::errc::address_in_use);
  ASSERT_TRUE(listen(net::address::any_v4()));
  EXPECT_EQ(listen(net::address::any_v6()).error().code, std::errc::address_in_use);
  network.stop(net::protocol::tcp, {net::address::any_v4(), api.port});
  EXPECT_TRUE(listen(net::address::any_v6()));
}

TEST_F(forwarder_test, a_busy_port_is_busy_though_it_is_the_apis) {
  const net::endpoint api{net::address::v4(127, 0, 0, 3), support::free_port()};
  kernel_network network(api);
  const auto api_socket = network.open_api_socket({});
  ASSERT_TRUE(api_socket) << api_socket.error().message();
  const auto holder = support::bound_socket(SOCK_STREAM, {net::address::v4(127, 0, 0, 4), api.port});
  const auto wildcard = network.forward(net::protocol::tcp, {net::address::any_v4(), api.port}, {loopback, 9});
  EXPECT_EQ(wildcard.error().code, std::errc::address_in_use);
}

TEST_F(forwarder_test, the_api_comes_back_where_it_was) {
  const net::endpoint api{loopback, support::free_port()};
  for (int i = 0; i < 2; ++i) {
    kernel_network network(api);
    const auto api_socket = network.open_api_socket({});
    ASSERT_TRUE(api_socket) << api_socket.error().message();
    ASSERT_TRUE(network.forward(net::protocol::tcp, {net::address::any_v4(), api.port}, {loopback, 9}));
    const auto client = support::connected_socket(SOCK_STREAM, api);
    ::close(::accept(api_socket->get(), nullptr, nullptr));  // first to close: the port stays in TIME_WAIT for a while
  }
}

}  // namespace
}  // namespace host_switch
