// Answers whose sizes lie around those of windows, segments and buffers: none waits for a timer, and none is cut short
// when the server closes at once.
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using support::eventually;
using duration = std::chrono::steady_clock::duration;

// Answers each number on a connection with that many bytes.
void serve_answers(int fd) {
  std::uint32_t size = 0;
  while (::recv(fd, &size, sizeof size, MSG_WAITALL) == sizeof size)
    if (!send_stream(fd, size)) return;
}

// How long each answer took; an answer that fails is missing.
std::vector<duration> ask_for(int fd, const std::vector<std::uint32_t>& sizes) {
  std::vector<duration> times;
  for (const auto size : sizes) {
    const auto began = std::chrono::steady_clock::now();
    if (::send(fd, &size, sizeof size, MSG_NOSIGNAL) != sizeof size || !receive_part(fd, size, 0)) break;
    times.push_back(std::chrono::steady_clock::now() - began);
  }
  return times;
}

// 2,000 around 64 KiB, then some around 256 KiB; each size several times.
std::vector<std::uint32_t> sizes_around_windows() {
  constexpr std::uint32_t kib = 1'024;
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < 2'000; ++i) all.push_back(64 * kib - 200 + i % 401);
  for (std::uint32_t i = 0; i < 160; ++i) all.push_back(256 * kib - 200 + i % 40 * 10);
  return all;
}

struct answers_case {
  const char* name;
  bool offload;
  unsigned mtu;

  friend std::ostream& operator<<(std::ostream& to, const answers_case& one) { return to << one.name; }
};

class answers : public virtual_network_lab, public testing::WithParamInterface<answers_case> {
 protected:
  void start_as_the_case_says() {
    connect_vm({.offload = GetParam().offload}, GetParam().mtu);
    start_and_wait({"-mtu=" + std::to_string(GetParam().mtu)});
    ASSERT_TRUE(eventually(5s, [this] { return carrier_->offload() == GetParam().offload; }));
  }
  // What waits for a timer does so each time. Other programs of this machine delay some answers: the quickest of each
  // size counts, and most of all.
  static void expect_quick_answers(const tcp_pair& both) {
    std::jthread server([&] { serve_answers(both.server.get()); });
    const auto sizes = sizes_around_windows();
    const auto times = ask_for(both.client.get(), sizes);
    ::shutdown(both.client.get(), SHUT_RDWR);
    ASSERT_EQ(times.size(), sizes.size());
    std::map<std::uint32_t, duration> quickest;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const auto known = quickest.emplace(sizes[i], times[i]).first;
      known->second = std::min(known->second, times[i]);
    }
    for (const auto& [size, time] : quickest) EXPECT_LT(time, 50ms) << size;
    EXPECT_LT(std::ranges::count_if(times, [](duration one) { return one > 50ms; }), std::ssize(times) / 10);
  }
};
INSTANTIATE_TEST_SUITE_P(, answers,
                         testing::Values(answers_case{"mtu_1500", false, 1'500},
                                         answers_case{"mtu_65520", false, 65'520},
                                         answers_case{"offload", true, 1'500}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_P(answers, around_the_size_of_a_window_wait_for_no_timer) {
  start_as_the_case_says();
  const auto out = connect_out();
  ASSERT_TRUE(out);
  expect_quick_answers(out);
  const auto in = connect_in();
  ASSERT_TRUE(in);
  expect_quick_answers(in);
}

class short_lived_answers : public virtual_network_lab {
 protected:
  static constexpr std::uint16_t clients = 8;
  static constexpr int a_client = 6;
  static constexpr int small_buffer = 4'096;

  // From 1 to 300,000, most of them odd.
  static std::size_t size_of(int client, int turn) {
    constexpr std::size_t most = 300'000;
    const auto number = static_cast<std::size_t>(turn * clients + client);
    return 1 + number * number * 137 % most;
  }
  // One server of one port: each client gets its bytes, and the end at once.
  static void serve(int listener, int which) {
    for (int turn = 0; turn < a_client; ++turn) {
      const auto fd = accept_from(listener);
      EXPECT_TRUE(fd && send_stream(fd.get(), size_of(which, turn))) << std::strerror(errno);
    }
  }
  static void read_all(const support::netns& from, const net::endpoint& to, int which) {
    for (int turn = 0; turn < a_client; ++turn) {
      const auto fd = dial(from, to);
      ASSERT_TRUE(fd) << std::strerror(errno);
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small_buffer, sizeof small_buffer);
      EXPECT_EQ(receive_stream(fd.get()), size_of(which, turn)) << std::strerror(errno);
    }
  }
  // Each client on its port.
  void expect_whole_answers(const support::netns& server, const support::netns& client, const net::address& by) {
    std::vector<std::jthread> all;
    for (std::uint16_t i = 0; i < clients; ++i) {
      const auto port = static_cast<std::uint16_t>(7'100 + i);
      auto listener = support::open_socket(server, net::protocol::tcp, {net::address::any_v4(), port}, true);
      all.emplace_back([fd = std::move(listener), i] { serve(fd.get(), i); });
      all.emplace_back([&client, by, port, i] { read_all(client, {by, port}, i); });
    }
  }
};

TEST_F(short_lived_answers, are_whole_over_a_link_with_losses) {
  constexpr impairment losses{.loss = 0.01};
  connect_vm({.toward_host = losses, .toward_vm = losses});
  std::vector<std::string> forwards;  // a call of the API may take its time
  for (int port = 7'100; port < 7'100 + clients; ++port)
    forwards.push_back(fmt::format("-port-forward=10.99.1.1:{0}=192.168.127.2:{0}", port));
  start_and_wait(forwards);
  expect_whole_answers(*lan_, *vm_, lan_address);
  expect_whole_answers(*vm_, *lan_, host_address);
}

}  // namespace
}  // namespace integration
