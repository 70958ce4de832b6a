// Ports of the host whose clients reach the VM: what a client sees of the VM's answer, and who it is there.
#include "translator/exposed_tcp.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/unit/translator/plane_fixture.hpp"

namespace translator {
namespace {

constexpr endpoint web{vm, 80};

class exposed_tcp_test : public plane_fixture {
 protected:
  void SetUp() override { start(); }
  // A free port of the host that leads to `to`.
  std::uint16_t expose(const net::address& ip = net::address::loopback_v4(), const endpoint& to = web) {
    const auto port = support::free_port();
    const auto done = plane().expose(net::protocol::tcp, {ip, port}, to);
    EXPECT_TRUE(done) << done.error().message();
    return port;
  }
  static base::unique_fd client(const net::address& ip, std::uint16_t port) {
    return support::connected_socket(SOCK_STREAM, {ip, port});
  }
  static base::unique_fd client(std::uint16_t port) { return client(net::address::loopback_v4(), port); }
  // From a local address, port 0 for any.
  static base::unique_fd client_from(const net::endpoint& from, const net::endpoint& to) {
    auto fd = support::make_socket(SOCK_STREAM, to.ip);
    const int one = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const auto at = net::to_sockaddr(from), other = net::to_sockaddr(to);
    EXPECT_EQ(::bind(fd.get(), at.get(), at.size), 0);
    EXPECT_EQ(::connect(fd.get(), other.get(), other.size), 0);
    return fd;
  }
};

TEST_F(exposed_tcp_test, a_client_reaches_the_vm_from_the_gateway_and_bytes_pass_both_ways) {
  auto machine = join();
  const auto fd = client(expose());
  support::send_all(fd.get(), "sent before the VM has answered");
  auto c = vm_connection::incoming(machine, 80);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->peer().address, gateway);
  c->accept();
  EXPECT_TRUE(c->reads(31));
  EXPECT_EQ(c->received, "sent before the VM has answered");
  ASSERT_TRUE(c->write_all(text("answer")));
  EXPECT_EQ(support::read_exactly(fd.get(), 6), "answer");
  c->finish();
  EXPECT_EQ(support::read_all(fd.get()), "");
  ASSERT_EQ(::shutdown(fd.get(), SHUT_WR), 0);
  EXPECT_TRUE(c->until([&] { return c->ended; }));
  EXPECT_TRUE(soon([&] { return now(plane().count().connections) == 0; }));
  const auto ports = plane().ports();
  ASSERT_EQ(ports.size(), 1U);
  EXPECT_EQ(ports.front().connections, 1U);
  EXPECT_EQ(ports.front().open, 0U);
  EXPECT_EQ(ports.front().received, 31U);
  EXPECT_EQ(ports.front().sent, 6U);
}

TEST_F(exposed_tcp_test, the_wildcard_is_for_both_families) {
  auto machine = join();
  const auto port = expose(net::address::any_v4());
  for (const auto& ip : {net::address::loopback_v4(), net::address::loopback_v6()}) {
    const auto fd = client(ip, port);
    auto c = vm_connection::incoming(machine, 80);
    ASSERT_TRUE(c) << ip.to_string();
    EXPECT_EQ(c->peer().address, gateway);
    c->accept();
    ASSERT_TRUE(c->write_all(text("hello")));
    EXPECT_EQ(support::read_exactly(fd.get(), 5), "hello");
  }
}

TEST_F(exposed_tcp_test, one_address_is_for_that_address_alone) {
  const auto port = expose();
  EXPECT_THROW(client(net::address::v4(127, 0, 0, 2), port), std::system_error);
  EXPECT_THROW(client(net::address::loopback_v6(), port), std::system_error);
}

TEST_F(exposed_tcp_test, a_refusal_of_the_vm_resets_the_client_at_once) {
  auto machine = join();
  const auto fd = client(expose());
  auto c = vm_connection::incoming(machine, 80);
  ASSERT_TRUE(c);
  c->refuse();
  EXPECT_TRUE(is_reset(fd));
  EXPECT_TRUE(soon([&] { return now(plane().count().clients_refused) == 1; }));
  EXPECT_TRUE(soon([&] { return now(plane().count().connections) == 0; }));
}

TEST_F(exposed_tcp_test, a_silent_vm_is_given_up_after_ten_seconds) {
  auto machine = join();
  const auto fd = client(expose());
  ASSERT_TRUE(vm_connection::incoming(machine, 80));
  pass(9s);
  EXPECT_EQ(now(plane().count().connections), 1U);
  pass(1'100ms);
  EXPECT_TRUE(is_reset(fd));
  EXPECT_EQ(now(plane().count().clients_refused), 1U);
}

TEST_F(exposed_tcp_test, a_client_that_has_said_all_before_the_vm_answers_is_served) {
  auto machine = join();
  const auto fd = client(expose());
  support::send_all(fd.get(), "GET /");
  ASSERT_EQ(::shutdown(fd.get(), SHUT_WR), 0);
  auto c = vm_connection::incoming(machine, 80);
  ASSERT_TRUE(c);
  turn();
  c->accept();
  EXPECT_TRUE(c->until([&] { return c->ended; }));
  EXPECT_EQ(c->received, "GET /");
  ASSERT_TRUE(c->write_all(text("200")));
  c->finish();
  EXPECT_EQ(support::read_all(fd.get()), "200");
}

TEST_F(exposed_tcp_test, a_client_that_gives_up_takes_its_connection_along) {
  auto machine = join();
  {
    const auto fd = client(expose());
    ASSERT_TRUE(vm_connection::incoming(machine, 80));
    const linger now{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  EXPECT_TRUE(soon([&] { return now(plane().count().connections) == 0; }));
  EXPECT_EQ(plane().statistics().flows, 0U);
}

TEST_F(exposed_tcp_test, connections_of_a_stopped_port_live_on) {
  auto machine = join();
  const auto port = expose();
  const auto fd = client(port);
  auto c = vm_connection::incoming(machine, 80);
  ASSERT_TRUE(c);
  c->accept();
  plane().stop(net::protocol::tcp, loopback(port));
  EXPECT_THROW(client(port), std::system_error);
  support::send_all(fd.get(), "on");
  EXPECT_TRUE(c->reads(2));
}

TEST_F(exposed_tcp_test, errors_are_the_kernels_own) {
  const auto holder = tcp_server();
  const auto held = support::local_endpoint(holder.get());
  const auto code = [&](const net::endpoint& at) { return plane().expose(net::protocol::tcp, at, web).error().code; };
  EXPECT_EQ(code(held), std::errc::address_in_use);
  EXPECT_EQ(code({net::address::any_v4(), held.port}), std::errc::address_in_use) << "one of its two families";
  EXPECT_EQ(code({net::address::v4(203, 0, 113, 1), 0}), std::errc::address_not_available);
  const auto port = expose();
  EXPECT_EQ(code(loopback(port)), std::errc::file_exists);
  EXPECT_TRUE(plane().expose(net::protocol::udp, loopback(port), web)) << "UDP is another port";
}

TEST_F(exposed_tcp_test, a_user_without_rights_gets_no_privileged_port) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns host("privileged");
  host.run(
      [&] {
        start();
        const auto refused = plane().expose(net::protocol::tcp, loopback(80), web);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, std::errc::permission_denied);
        plane_.reset();
      },
      support::unprivileged);
}

TEST_F(exposed_tcp_test, a_client_takes_its_share_and_leaves_the_port_to_others) {
  start(usual(), 400);
  auto machine = join();
  const auto port = expose();
  std::vector<base::unique_fd> held;
  std::vector<vm_connection> answered;
  while (held.size() < 64 && now(plane().count().clients_refused) == 0) {
    held.push_back(client(port));
    auto c = vm_connection::incoming(machine, 80, 200ms);
    if (!c) continue;
    c->accept();
    answered.push_back(std::move(*c));
  }
  EXPECT_EQ(now(plane().count().clients_refused), 1U);
  EXPECT_TRUE(is_reset(held.back()));
  EXPECT_EQ(answered.size() + 1, held.size());
  const auto other = client_from({net::address::v4(127, 0, 0, 9), 0}, loopback(port));
  EXPECT_TRUE(vm_connection::incoming(machine, 80)) << "another client";
  const auto before = answered.size();
  for (std::size_t i = 0; i < 2; ++i) {
    answered[i].reset();
    EXPECT_TRUE(is_reset(held[i]));
  }
  held.push_back(client(port));
  EXPECT_TRUE(vm_connection::incoming(machine, 80)) << "two of " << before << " have ended";
}

double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * double(t.tv_usec); };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

TEST_F(exposed_tcp_test, without_descriptors_clients_wait_in_the_queue_and_the_listener_does_not_spin) {
  auto machine = join();
  const auto port = expose();
  auto fd = support::make_socket(SOCK_STREAM, net::address::loopback_v4());
  const auto at = net::to_sockaddr(loopback(port));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto used_before = processor_seconds();
  const bool connected = ::connect(fd.get(), at.get(), at.size) == 0;
  const bool too_early = vm_connection::incoming(machine, 80, 500ms).has_value();
  const auto used = processor_seconds() - used_before;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(connected);
  EXPECT_FALSE(too_early);
  EXPECT_LT(used, 0.25) << "of half a second";
  EXPECT_TRUE(vm_connection::incoming(machine, 80));
}

TEST_F(exposed_tcp_test, a_listener_that_may_not_accept_does_not_spin) {
  constexpr support::refused_call refused{SYS_accept4, 3, SOCK_NONBLOCK | SOCK_CLOEXEC, EACCES};
  const bool ran = support::run_without(refused, [this] {
    start();
    auto machine = join();
    const auto client = support::connected_socket(SOCK_STREAM, loopback(expose()));
    const auto used_before = processor_seconds();
    EXPECT_FALSE(vm_connection::incoming(machine, 80, 500ms));
    const auto used = processor_seconds() - used_before;
    EXPECT_LT(used, 0.05) << "of half a second";
    plane_.reset();
  });
  if (!ran) GTEST_SKIP() << "no seccomp filters here";
}

// ---- -source-address client

class client_source_test : public exposed_tcp_test {
 protected:
  static constexpr auto lan_client = net::address::v4(10, 0, 0, 5), host_ip = net::address::v4(10, 0, 0, 1);
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    host_.emplace("source");
    host_->ip({"address", "add", "10.0.0.1/32", "dev", "lo"});
    host_->ip({"address", "add", "10.0.0.5/32", "dev", "lo"});
    host_->ip({"address", "add", "172.17.0.9/32", "dev", "lo"});
  }
  static plane_options passing() {
    auto made = usual();
    made.sources = source_address::client;
    made.vm_networks = {net::cidr(net::address::v4(172, 17, 0, 0), 16)};
    return made;
  }
  template <class Work>
  void with_plane(Work work) {
    host_->run([&] {
      start(passing());
      auto machine = join();
      work(machine);
      plane_.reset();
    });
  }
  std::optional<support::netns> host_;
};

TEST_F(client_source_test, the_vm_sees_the_client_and_its_answers_come_back) {
  with_plane([&](scripted_vm& machine) {
    const auto port = expose(net::address::any_v4());
    const auto fd = client_from({lan_client, 4711}, {host_ip, port});
    auto c = vm_connection::incoming(machine, 80);
    ASSERT_TRUE(c);
    EXPECT_EQ(c->peer(), (endpoint{{0x0a00'0005}, 4711}));
    c->accept();
    ASSERT_TRUE(c->write_all(text("hello")));
    EXPECT_EQ(support::read_exactly(fd.get(), 5), "hello");
    support::send_all(fd.get(), "there");
    EXPECT_TRUE(c->reads(5));
  });
}

TEST_F(client_source_test, the_gateway_stands_for_loopback_ipv6_and_the_vms_own_networks) {
  with_plane([&](scripted_vm& machine) {
    const auto port = expose(net::address::any_v4());
    std::vector<base::unique_fd> all;
    all.push_back(client(net::address::loopback_v4(), port));
    all.push_back(client(net::address::loopback_v6(), port));
    all.push_back(client_from({net::address::v4(172, 17, 0, 9), 0}, {host_ip, port}));
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto c = vm_connection::incoming(machine, 80);
      ASSERT_TRUE(c) << i;
      EXPECT_EQ(c->peer().address, gateway) << i;
    }
  });
}

TEST_F(client_source_test, one_endpoint_at_two_ports_of_the_host_is_two_connections_in_the_vm) {
  with_plane([&](scripted_vm& machine) {
    const auto first = expose(net::address::any_v4()), second = expose(net::address::any_v4());
    const auto a = client_from({lan_client, 4711}, {host_ip, first}),
               b = client_from({lan_client, 4711}, {host_ip, second});
    auto one = vm_connection::incoming(machine, 80);
    ASSERT_TRUE(one);
    one->accept();
    auto two = vm_connection::incoming(machine, 80);
    ASSERT_TRUE(two);
    EXPECT_NE(one->peer(), two->peer());
    EXPECT_EQ(two->peer().address, gateway);
    two->accept();
    ASSERT_TRUE(two->write_all(text("second")));
    EXPECT_EQ(support::read_exactly(b.get(), 6), "second");
  });
}

}  // namespace
}  // namespace translator
