// The VM's TCP connections and the host's sockets: which are opened, refused and bounded. The VM is scripted; the
// host's side is the kernel's.
#include "translator/tcp_flows.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/translator/tcp_flows_fixture.hpp"

namespace translator {
namespace {

TEST_F(tcp_flows_test, a_closed_port_is_a_reset_at_once_that_acknowledges_the_syn) {
  auto machine = join();
  vm_connection c(machine, 40'000, {host_alias, support::free_port()});
  c.syn();
  ASSERT_TRUE(c.until([&] { return c.was_reset; }));
  EXPECT_EQ(c.reset_acknowledged, c.next);
  EXPECT_FALSE(c.connected);
  EXPECT_EQ(plane().statistics().connects_failed, 1U);
  EXPECT_TRUE(is_quiet());
}

TEST_F(tcp_flows_test, a_repeated_syn_is_one_connection_of_the_host) {
  auto machine = join();
  const auto server = tcp_server();
  for (int i = 0; i < 3; ++i) vm_connection(machine, 40'000, by_alias(server)).syn();
  vm_connection c(machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  const auto host = accept_from(server);
  const timeval moment{0, 50'000};
  ::setsockopt(server.get(), SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
  EXPECT_LT(::accept(server.get(), nullptr, nullptr), 0);
  EXPECT_EQ(now(plane().count().connections), 1U);
}

TEST_F(tcp_flows_test, what_the_host_sent_before_its_reset_comes_first) {
  auto machine = join();
  const auto server = tcp_server();
  for (std::uint16_t port = 40'000; port < 40'010; ++port) {
    vm_connection c(machine, port, by_alias(server));
    ASSERT_TRUE(c.connect());
    auto host = accept_from(server);
    const auto words = letters(10'000);
    support::send_all(host.get(), words);
    ASSERT_TRUE(c.reads(1));
    reset(std::move(host));
    ASSERT_TRUE(c.until([&] { return c.was_reset; }));
    EXPECT_EQ(c.received, words);
    EXPECT_FALSE(c.ended);
  }
  EXPECT_TRUE(is_quiet());
}

// The kernel's buffers, and one window of the connection, and no more.
TEST_F(tcp_flows_test, a_host_that_does_not_read_shuts_the_vms_window_within_a_bound) {
  auto machine = join();
  const auto server = tcp_server();
  set(server, SO_RCVBUF, 64 << 10);
  vm_connection c(machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  const auto host = accept_from(server);
  constexpr std::size_t most = 16 << 20;
  const auto all = letters(most);
  std::size_t sent = 0;
  while (sent < most) {
    sent += c.write(bytes_view(as_bytes(all.substr(sent, 256 << 10))));
    if (c.room() == 0 && !c.until([&] { return c.room() > 0; }, 500ms)) break;
  }
  ASSERT_LT(sent, most) << "the window never shut";
  EXPECT_EQ(c.peer_window, 0U);
  EXPECT_LE(plane().statistics().tcp_memory, std::size_t{2} << 20U);
  auto got = std::async(std::launch::async, [&] { return support::read_all(host.get()); });
  EXPECT_TRUE(c.until([&] { return c.room() > 0; })) << "the window opens when the host reads";
  c.finish();
  EXPECT_EQ(got.get(), all.substr(0, sent));
}

TEST_F(tcp_flows_test, a_port_of_the_gateway_without_a_service_is_refused) {
  auto machine = join();
  vm_connection c(machine, 40'000, {gateway, 53});
  c.syn();
  EXPECT_TRUE(c.until([&] { return c.was_reset; }));
}

TEST_F(tcp_flows_test, a_service_gets_the_vms_endpoint_and_refuses_when_it_has_too_many) {
  std::atomic<int> called = 0;
  std::promise<std::pair<int, net::endpoint>> taken;
  plane().add_service(80, [&](base::unique_fd fd, const net::endpoint& client) {
    if (++called == 1) taken.set_value({fd.release(), client});
    return called == 1;
  });
  auto machine = join();
  vm_connection first(machine, 40'000, {gateway, 80}), second(machine, 40'001, {gateway, 80});
  ASSERT_TRUE(first.connect());
  const auto [number, client] = taken.get_future().get();
  const base::unique_fd service(number);
  EXPECT_EQ(net::to_string(client), "192.168.127.2:40000");
  second.syn();
  EXPECT_TRUE(second.until([&] { return second.was_reset; }));
  ASSERT_TRUE(first.write_all(text("GET /")));
  EXPECT_TRUE(soon([&] {
    std::array<char, 5> got{};
    return ::recv(service.get(), got.data(), got.size(), MSG_DONTWAIT) == 5;
  }));
}

TEST_F(tcp_flows_test, the_part_for_connections_refuses_one_more_and_takes_it_once_another_has_ended) {
  start(usual(), 40);
  auto machine = join();
  const auto server = tcp_server();
  std::vector<vm_connection> all;
  std::vector<base::unique_fd> hosts;
  for (std::uint16_t port = 40'000; port < 40'100; ++port) {
    all.emplace_back(machine, port, by_alias(server));
    all.back().syn();
    ASSERT_TRUE(all.back().until([&] { return all.back().connected || all.back().was_reset; }));
    if (all.back().was_reset) break;
    all.back().acknowledge();
    hosts.push_back(accept_from(server));
  }
  ASSERT_TRUE(all.back().was_reset);
  EXPECT_GE(hosts.size(), budget_->guaranteed(relay::descriptor_use::connection));
  EXPECT_LT(hosts.size(), 40U);
  all.front().reset();
  ASSERT_TRUE(is_reset(hosts.front()));
  EXPECT_TRUE(soon([&] { return now(plane().count().connections) == hosts.size() - 1; }));
  EXPECT_TRUE(vm_connection(machine, 41'000, by_alias(server)).connect());
}

TEST_F(tcp_flows_test, clients_of_a_port_that_are_reset_without_a_link_are_counted_with_one_line) {
  pass(11s);  // there has been no link for the grace
  const auto port = support::free_port();
  ASSERT_TRUE(plane().expose(net::protocol::tcp, loopback(port), {vm, 80}));
  testing::internal::CaptureStderr();
  std::vector<base::unique_fd> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(support::connected_socket(SOCK_STREAM, loopback(port)));
  for (const auto& one : clients) EXPECT_TRUE(is_reset(one));
  EXPECT_TRUE(soon([&] { return now(plane().count().clients_refused) == 20; }));
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(soon([&] { return now(plane().count().connections) == 0; }));
  EXPECT_NE(log.find("no VM has the address of a forward vm=192.168.127.2 present=none"), std::string::npos) << log;
  EXPECT_EQ(log.find("no VM has"), log.rfind("no VM has"));
}

}  // namespace
}  // namespace translator
