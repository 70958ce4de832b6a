// Cases that users of such networks reported, with Linux's own stack as the VM: datagrams, names, bounds.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <thread>

#include "base/text.hpp"
#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

constexpr net::address lan_ip = net::address::v4(10, 99, 1, 2), host_ip = net::address::v4(10, 99, 1, 1);

// A UDP server in a thread: `answer` gets each datagram and sends what it likes.
class datagram_server {
 public:
  using reply = std::function<void(int fd, const std::string& datagram, const net::socket_address& from)>;

  datagram_server(const support::netns& where, const net::endpoint& at, reply answer)
      : fd_(support::open_socket(where, protocol::udp, at, true)),
        answer_(std::move(answer)),
        thread_([this] { run(); }) {}
  ~datagram_server() {
    stopping_ = true;
    thread_.join();
  }
  datagram_server(const datagram_server&) = delete;
  datagram_server& operator=(const datagram_server&) = delete;

  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }

 private:
  void run() {
    std::string buffer(70'000, '\0');
    while (!stopping_) {
      pollfd ready{fd_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 50) <= 0) continue;
      net::socket_address from;
      const auto got = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0, from.get(), &from.size);
      if (got >= 0) answer_(fd_.get(), buffer.substr(0, static_cast<std::size_t>(got)), from);
    }
  }

  base::unique_fd fd_;
  reply answer_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

void echo(int fd, const std::string& datagram, const net::socket_address& from) {
  ::sendto(fd, datagram.data(), datagram.size(), 0, from.get(), from.size);
}

std::string sized(std::size_t size) {
  std::string made(size, '\0');
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>('a' + i % 23);
  return made;
}

class virtual_network_cases : public virtual_network_lab {
 protected:
  [[nodiscard]] std::uint64_t metric(const std::string& name) const {
    const auto all =
        support::run_command({.argv = {"curl", "-s", "--unix-socket", at("control.sock"), "http://x/stats"}}).text;
    const auto at = all.find("\"" + name + "\":");
    if (at == std::string::npos) return 0;
    const auto begin = at + name.size() + 3;
    return base::parse_number<std::uint64_t>(
               std::string_view(all).substr(begin, all.find_first_of(",}", begin) - begin))
        .value_or(0);
  }
  // host-switch with a resolv.conf of the test's own.
  void start_with_resolver(const std::string& text) {
    std::ofstream(at("resolv.conf")) << text;
    std::ofstream(at("hosts")) << "";
    start_by({"unshare", "-m", "sh", "-c",
              "mount --bind \"$0\"/resolv.conf /etc/resolv.conf && mount --bind \"$0\"/hosts /etc/hosts && exec \"$@\"",
              directory_->path().string()});
    ASSERT_TRUE(eventually(10s, [this] { return vm_is_connected(); })) << log();
  }
  // The answer to one question over UDP; empty without one.
  [[nodiscard]] std::string resolve(const std::string& question, std::chrono::milliseconds limit = 12s) const {
    return support::ask(*vm_, protocol::udp, {gateway_api.ip, 53}, question, limit).value_or("");
  }
};

TEST_F(virtual_network_cases, datagrams_of_any_size_pass_unchanged) {
  start_and_wait();
  const datagram_server server(*lan_, {lan_ip, 5300}, echo);
  ASSERT_TRUE(server.is_open());
  auto client = support::open_socket(*vm_, protocol::udp, {lan_ip, 5300}, false);
  ASSERT_TRUE(client);
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 1472, 1473, 8192, 65507, 0, 1}) {
    const auto sent = sized(size);
    ASSERT_EQ(::send(client.get(), sent.data(), sent.size(), 0), static_cast<ssize_t>(size));
    EXPECT_EQ(support::receive_once(client.get(), 5s), sent) << size;
  }
}

TEST_F(virtual_network_cases, an_empty_datagram_and_the_largest_leave_an_exposed_port_alive) {
  start_and_wait();
  const datagram_server server(*vm_, {net::address::any_v4(), 5300}, echo);
  ASSERT_TRUE(server.is_open());
  ASSERT_EQ(expose("10.99.1.1:5300", "192.168.127.2:5300", "udp"), 200);
  auto client = support::open_socket(*lan_, protocol::udp, {host_ip, 5300}, false);
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 65507, 1}) {
    const auto sent = sized(size);
    ASSERT_EQ(::send(client.get(), sent.data(), sent.size(), 0), static_cast<ssize_t>(size));
    EXPECT_EQ(support::receive_once(client.get(), 5s), sent) << size;
  }
}

// TFTP and SIP answer so.
TEST_F(virtual_network_cases, an_answer_from_another_port_has_its_true_source) {
  start_and_wait();
  auto other = support::open_socket(*lan_, protocol::udp, {lan_ip, 5301}, true);
  const datagram_server server(
      *lan_, {lan_ip, 5300},
      [&](int, const std::string& datagram, const net::socket_address& from) { echo(other.get(), datagram, from); });
  auto client = support::open_socket(*vm_, protocol::udp, {net::address::any_v4(), 4000}, true);
  const auto to = net::to_sockaddr({lan_ip, 5300});
  ASSERT_EQ(::sendto(client.get(), "x", 1, 0, to.get(), to.size), 1);
  pollfd ready{client.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&ready, 1, 5000), 1);
  net::socket_address from;
  char byte = 0;
  ASSERT_EQ(::recvfrom(client.get(), &byte, 1, 0, from.get(), &from.size), 1);
  EXPECT_EQ(net::from_sockaddr(from), (net::endpoint{lan_ip, 5301}));
}

TEST_F(virtual_network_cases, many_source_ports_are_bounded_and_tcp_goes_on) {
  start_and_wait();
  const auto server = serve(*lan_, {"tcp:7000"}, "lan");
  // In bursts that the tap's queue takes.
  const auto send_from_new_ports = [] {
    const auto to = net::to_sockaddr({lan_ip, 9});
    for (int i = 0; i < 500; ++i) {
      const base::unique_fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      ::sendto(fd.get(), "x", 1, 0, to.get(), to.size);
    }
  };
  EXPECT_TRUE(eventually(30s, [&] {
    vm_->run(send_from_new_ports);
    return metric("host_udp_flows_evicted") > 0;
  }));
  EXPECT_LE(metric("host_udp_flows"), 4'096U);
  EXPECT_TRUE(eventually(5s, [&] { return support::ask(*vm_, protocol::tcp, {lan_ip, 7000}, "\n").has_value(); }));
}

TEST_F(virtual_network_cases, multicasts_and_broadcasts_make_no_socket) {
  start_and_wait();
  vm_->run([] {
    const base::unique_fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int one = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
    for (const auto& ip : {net::address::v4(224, 0, 0, 251), net::address::v4(239, 255, 255, 250),
                           net::address::v4(192, 168, 127, 255), net::address::v4(255, 255, 255, 255)}) {
      const auto to = net::to_sockaddr({ip, 5353});
      ::sendto(fd.get(), "x", 1, 0, to.get(), to.size);
    }
  });
  EXPECT_TRUE(eventually(5s, [&] { return metric("multicast") >= 4; }));
  EXPECT_EQ(metric("host_udp_flows"), 0U);
}

TEST_F(virtual_network_cases, connects_that_nothing_answers_cost_others_nothing) {
  start_and_wait();
  host_->ip({"route", "add", "blackhole", "10.99.2.0/24"});
  const auto server = serve(*lan_, {"tcp:7000"}, "lan");
  ASSERT_TRUE(eventually(5s, [&] { return support::ask(*vm_, protocol::tcp, {lan_ip, 7000}, "\n").has_value(); }));
  std::vector<base::unique_fd> waiting;
  vm_->run([&] {
    for (int i = 0; i < 200; ++i) {
      waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const auto to = net::to_sockaddr({net::address::v4(10, 99, 1, static_cast<std::uint8_t>(10 + i)), 80});
      ::connect(waiting.back().get(), to.get(), to.size);
    }
  });
  ASSERT_TRUE(eventually(5s, [&] { return metric("half_open") >= 100; }));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(support::ask(*vm_, protocol::tcp, {lan_ip, 7000}, "\n"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 500ms);
}

TEST_F(virtual_network_cases, cloud_metadata_and_loopback_are_refused) {
  start_and_wait();
  EXPECT_TRUE(support::refused(*vm_, {net::address::v4(169, 254, 169, 254), 80}));
  EXPECT_GE(metric("forbidden"), 1U);
}

// A question for `type` of example.org with the id 0x1234.
std::string question(std::uint16_t type) {
  std::string made(
      "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
      "example\x03org\x00",
      25);
  made += static_cast<char>(type >> 8);
  made += static_cast<char>(type & 0xff);
  return made + std::string("\x00\x01", 2);
}

constexpr std::uint16_t txt = 16, https = 65, aaaa = 28;

// The question with the bits of an answer, one more record, and the code.
std::string upstream_answer(const std::string& asked, int code) {
  auto made = asked;
  made[2] = static_cast<char>(0x81);
  made[3] = static_cast<char>(0x80 | code);
  if (code != 0) return made;
  made[7] = 1;
  return made + std::string("\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x2a\x00\x03\x02hi", 15);
}

TEST_F(virtual_network_cases, any_type_of_question_gets_the_upstreams_answer) {
  std::atomic<int> asked = 0;
  const datagram_server server(*host_, {net::address::loopback_v4(), 53},
                               [&](int fd, const std::string& q, const net::socket_address& from) {
                                 ++asked;
                                 echo(fd, upstream_answer(q, 0), from);
                               });
  ASSERT_TRUE(server.is_open());
  start_with_resolver("nameserver 127.0.0.1\n");
  for (const auto type : {txt, https, std::uint16_t{65'280}})
    EXPECT_EQ(resolve(question(type)), upstream_answer(question(type), 0)) << type;
  EXPECT_EQ(asked, 3);
  const auto none = resolve(question(aaaa));
  ASSERT_GE(none.size(), 12U);
  EXPECT_EQ(none[3] & 15, 0);
  EXPECT_EQ(none[7], 0) << "the network is IPv4 only";
  EXPECT_EQ(asked, 3);
}

TEST_F(virtual_network_cases, a_name_that_does_not_exist_stays_so_and_silence_is_servfail) {
  std::atomic<bool> silent = false;
  const datagram_server server(*host_, {net::address::loopback_v4(), 53},
                               [&](int fd, const std::string& q, const net::socket_address& from) {
                                 if (!silent) echo(fd, upstream_answer(q, 3), from);
                               });
  start_with_resolver("nameserver 127.0.0.1\n");
  const auto missing = resolve(question(txt));
  ASSERT_GE(missing.size(), 12U);
  EXPECT_EQ(missing[3] & 15, 3);
  silent = true;
  const auto failed = resolve(question(https));
  ASSERT_GE(failed.size(), 12U);
  EXPECT_EQ(failed[3] & 15, 2);
}

TEST_F(virtual_network_cases, a_dead_first_server_is_passed_over) {
  const datagram_server server(
      *host_, {net::address::loopback_v4(), 53},
      [](int fd, const std::string& q, const net::socket_address& from) { echo(fd, upstream_answer(q, 0), from); });
  start_with_resolver("nameserver 127.0.0.9\nnameserver 127.0.0.1\n");
  EXPECT_EQ(resolve(question(txt)), upstream_answer(question(txt), 0));
}

}  // namespace
}  // namespace integration
