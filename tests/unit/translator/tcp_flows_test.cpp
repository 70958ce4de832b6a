// The VM's TCP connections and the host's sockets: what each end learns of the other. The VM is scripted; the host's side
// is the kernel's.
#include "translator/tcp_flows.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <fstream>
#include <future>

#include "tests/support/netns.hpp"
#include "tests/unit/translator/plane_fixture.hpp"

namespace translator {
namespace {

using netstack::icmp::unreachable;

constexpr netstack::ipv4::address far{0xc633'6407};  // 198.51.100.7, of no network here

std::string letters(std::size_t size) {
  std::string made(size, ' ');
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return made;
}
bytes as_bytes(const std::string& s) { return {s.begin(), s.end()}; }

void set(const base::unique_fd& fd, int option, int value) {
  ASSERT_EQ(::setsockopt(fd.get(), SOL_SOCKET, option, &value, sizeof value), 0);
}
void reset(base::unique_fd fd) {
  const linger now{1, 0};
  ASSERT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
}

class tcp_flows_test : public plane_fixture {
 protected:
  void SetUp() override { start(); }
  [[nodiscard]] bool is_quiet() {
    return soon([&] { return now(plane().count().connections) == 0 && plane().statistics().flows == 0; });
  }
};

TEST_F(tcp_flows_test, bytes_pass_both_ways_and_an_orderly_end_leaves_nothing) {
  auto machine = join();
  const auto server = tcp_server();
  vm_connection c(machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  const auto host = accept_from(server);
  ASSERT_TRUE(c.write_all(text("from the VM")));
  EXPECT_EQ(support::read_exactly(host.get(), 11), "from the VM");
  support::send_all(host.get(), "from the host");
  EXPECT_TRUE(c.reads(13));
  EXPECT_EQ(c.received, "from the host");
  c.finish();
  EXPECT_EQ(support::read_all(host.get()), "");
  ASSERT_EQ(::shutdown(host.get(), SHUT_WR), 0);
  EXPECT_TRUE(c.until([&] { return c.ended; }));
  EXPECT_TRUE(soon([&] { return now(plane().count().connections) == 0; }));
}

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

TEST_F(tcp_flows_test, after_the_vms_half_close_the_host_still_sends) {
  auto machine = join();
  const auto server = tcp_server();
  vm_connection c(machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  const auto host = accept_from(server);
  ASSERT_TRUE(c.write_all(text("question")));
  c.finish();
  EXPECT_EQ(support::read_all(host.get()), "question");
  pass(30s);
  const auto answer = letters(1'000'000);
  auto sent = std::async(std::launch::async, [&] {
    support::send_all(host.get(), answer);
    ::shutdown(host.get(), SHUT_WR);
  });
  EXPECT_TRUE(c.until([&] { return c.ended; }));
  sent.get();
  EXPECT_EQ(c.received, answer);
  EXPECT_TRUE(soon([&] { return now(plane().count().connections) == 0; }));
}

TEST_F(tcp_flows_test, after_the_hosts_half_close_the_vm_still_sends) {
  auto machine = join();
  const auto server = tcp_server();
  vm_connection c(machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  const auto host = accept_from(server);
  support::send_all(host.get(), "greeting");
  ASSERT_EQ(::shutdown(host.get(), SHUT_WR), 0);
  ASSERT_TRUE(c.until([&] { return c.ended; }));
  EXPECT_EQ(c.received, "greeting");
  pass(30s);
  const auto answer = letters(500'000);
  auto got = std::async(std::launch::async, [&] { return support::read_all(host.get()); });
  EXPECT_TRUE(c.write_all(as_bytes(answer)));
  c.finish();
  EXPECT_EQ(got.get(), answer);
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

// The VM writes, and the kernel says only then that the peer has gone.
TEST_F(tcp_flows_test, a_write_that_fails_loses_nothing_that_the_host_has_sent) {
  auto machine = join();
  const auto server = tcp_server();
  vm_connection c(machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  auto host = accept_from(server);
  support::send_all(host.get(), "last words");
  ASSERT_TRUE(c.reads(10));
  host.reset();
  ASSERT_TRUE(c.until([&] { return c.ended; }));
  for (int i = 0; i < 20 && !c.was_reset; ++i) {
    c.write(text("more"));
    c.absorb(a_moment);
  }
  EXPECT_TRUE(c.was_reset);
  EXPECT_EQ(c.received, "last words");
  EXPECT_TRUE(is_quiet());
}

TEST_F(tcp_flows_test, a_reset_of_the_vm_is_the_hosts_behind_its_bytes) {
  auto machine = join();
  const auto server = tcp_server();
  vm_connection c(machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  const auto host = accept_from(server);
  ASSERT_TRUE(c.write_all(text("half a word")));
  EXPECT_EQ(support::read_exactly(host.get(), 11), "half a word");
  c.reset();
  EXPECT_TRUE(is_reset(host));
  EXPECT_EQ(plane().statistics().resets_in, 1U);
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

TEST_F(tcp_flows_test, a_vm_that_does_not_read_stops_the_host_and_gets_all_later) {
  auto machine = join();
  const auto server = tcp_server();
  vm_connection c(machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  const auto host = accept_from(server);
  set(host, SO_SNDBUF, 64 << 10);
  c.window = 0;
  c.acknowledge();
  const auto chunk = letters(64 << 10);
  std::size_t sent = 0, idle = 0;
  while (idle < 20 && sent < (std::size_t{64} << 20U)) {
    const auto size = ::send(host.get(), chunk.data() + sent % chunk.size(), chunk.size() - sent % chunk.size(),
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size > 0) sent += static_cast<std::size_t>(size);
    idle = size > 0 ? 0 : idle + 1;
    if (size < 0) c.absorb(a_moment / 5);
  }
  EXPECT_LT(sent, std::size_t{32} << 20U) << "the kernel's buffers and one ring";
  EXPECT_LE(plane().statistics().tcp_memory, std::size_t{2} << 20U);
  c.window = 65'535;
  c.acknowledge();
  ASSERT_TRUE(c.reads(sent));
  for (std::size_t at = 0; at < sent; at += chunk.size())
    ASSERT_EQ(c.received.compare(at, chunk.size(), chunk, 0, std::min(chunk.size(), sent - at)), 0) << at;
}

TEST_F(tcp_flows_test, one_that_stands_still_delays_no_other) {
  auto machine = join();
  const auto server = tcp_server();
  vm_connection still(machine, 40'000, by_alias(server)), other(machine, 40'001, by_alias(server));
  ASSERT_TRUE(still.connect());
  const auto unread = accept_from(server);
  while (still.write(counting(100'000)) > 0 || still.until([&] { return still.room() > 0; }, 200ms)) {
  }
  ASSERT_TRUE(other.connect());
  const auto host = accept_from(server);
  ASSERT_TRUE(other.write_all(text("now")));
  EXPECT_EQ(support::read_exactly(host.get(), 3), "now");
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

// A real want: the kernel gives no more.
TEST_F(tcp_flows_test, without_descriptors_a_connection_is_refused_and_the_others_go_on) {
  auto machine = join();
  const auto server = tcp_server();
  vm_connection first(machine, 40'000, by_alias(server)), second(machine, 40'001, by_alias(server)),
      third(machine, 40'002, by_alias(server));
  ASSERT_TRUE(first.connect());
  const auto host = accept_from(server);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  second.syn();
  const bool refused = second.until([&] { return second.was_reset; });
  const bool goes_on = first.write_all(text("on"));
  const auto read = support::read_exactly(host.get(), 2);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(refused);
  EXPECT_TRUE(goes_on);
  EXPECT_EQ(read, "on");
  EXPECT_EQ(now(plane().count().connects_refused), 1U);
  EXPECT_TRUE(third.connect());
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

TEST_F(tcp_flows_test, a_link_that_comes_back_within_the_grace_finds_its_connections) {
  const auto server = tcp_server();
  base::unique_fd host;
  std::optional<vm_connection> c;
  auto first = std::make_optional(join());
  c.emplace(*first, 40'000, by_alias(server));
  ASSERT_TRUE(c->connect());
  host = accept_from(server);
  auto numbers = *c;
  first.reset();
  ASSERT_TRUE(soon([&] { return plane().links().empty(); }));
  pass(9s);
  auto second = join();
  pass(9s);
  support::send_all(host.get(), "still there");
  EXPECT_TRUE(second.next([](const auto& p) {
    const auto s = netstack::tcp::parse(p);
    return s && s->destination_port == 40'000 && s->payload.size() == 11;
  }));
  EXPECT_EQ(now(plane().count().connections), 1U);
}

TEST_F(tcp_flows_test, without_a_link_for_the_grace_the_hosts_side_is_reset) {
  const auto server = tcp_server();
  auto machine = std::make_optional(join());
  vm_connection c(*machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  const auto host = accept_from(server);
  machine.reset();
  ASSERT_TRUE(soon([&] { return plane().links().empty(); }));
  pass(9s);
  EXPECT_EQ(now(plane().count().connections), 1U);
  pass(2s);
  EXPECT_TRUE(is_reset(host));
  EXPECT_EQ(now(plane().count().connections), 0U);
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
  EXPECT_EQ(now(plane().count().connections), 0U);
  EXPECT_NE(log.find("no VM has the address of a forward vm=192.168.127.2 present=none"), std::string::npos) << log;
  EXPECT_EQ(log.find("no VM has"), log.rfind("no VM has"));
}

TEST_F(tcp_flows_test, the_end_of_the_data_plane_resets_the_hosts_side) {
  const auto server = tcp_server();
  auto machine = join();
  vm_connection c(machine, 40'000, by_alias(server));
  ASSERT_TRUE(c.connect());
  const auto host = accept_from(server);
  plane_.reset();
  EXPECT_TRUE(is_reset(host));
}

// ---- What the routes of the host say

class unreachable_test : public tcp_flows_test {
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

}  // namespace
}  // namespace translator
