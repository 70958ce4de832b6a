// A receiver that reads nothing for a while, and then everything: nothing is lost, and host-switch does not spin.
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "tests/integration/process_state.hpp"
#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using support::eventually;

class stopped_reader : public virtual_network_lab {
 protected:
  static constexpr std::size_t bytes = 96 * megabyte;  // more than all buffers on the way hold

  void expect_stop_and_go(int from, int to) {
    std::atomic<std::size_t> sent = 0;
    std::thread sender([&] {
      constexpr std::size_t step = 16 << 10;
      while (sent < bytes && send_stream(from, step, sent)) sent += step;
      EXPECT_EQ(sent, bytes) << std::strerror(errno);
      ::shutdown(from, SHUT_WR);
    });
    const auto rests = [&](std::chrono::milliseconds time) {
      return !eventually(time, [&, before = sent.load()] { return sent != before; });
    };
    EXPECT_TRUE(eventually(20s, [&] { return rests(500ms); }));
    const auto cpu = cpu_time(host_switch_.pid());
    EXPECT_TRUE(rests(2s));
    EXPECT_LT(cpu_time(host_switch_.pid()) - cpu, 200ms);
    EXPECT_LT(sent, bytes);
    EXPECT_EQ(receive_stream(to), bytes) << std::strerror(errno);
    sender.join();
  }
};

TEST_F(stopped_reader, outside_gets_everything_at_last) {
  start_and_wait();
  const auto both = connect_out();
  ASSERT_TRUE(both);
  expect_stop_and_go(both.client.get(), both.server.get());
}

TEST_F(stopped_reader, in_the_vm_gets_everything_at_last) {
  start_and_wait();
  const auto both = connect_out();
  ASSERT_TRUE(both);
  expect_stop_and_go(both.server.get(), both.client.get());
}

TEST_F(stopped_reader, of_an_exposed_port_gets_everything_at_last) {
  start_and_wait();
  const auto both = connect_in();
  ASSERT_TRUE(both);
  expect_stop_and_go(both.client.get(), both.server.get());
}

// One reader that does not read delays no other connection.
TEST_F(stopped_reader, delays_no_other) {
  start_and_wait();
  const auto stopped = connect_out(), other = connect_out();
  ASSERT_TRUE(stopped && other);
  std::jthread sender([&] { send_stream(stopped.server.get(), bytes); });
  expect_bytes_both_ways(other, 20 * megabyte);
  EXPECT_EQ(::shutdown(stopped.server.get(), SHUT_RDWR), 0);
}

}  // namespace
}  // namespace integration
