#include "programs/port_proxy/port_listeners.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <random>

#include "async/task_group.hpp"
#include "base/unique_fd.hpp"
#include "tests/support/run_task.hpp"

namespace port_proxy {
namespace {

using namespace std::chrono_literals;

constexpr int type_of(net::protocol p) { return p == net::protocol::tcp ? SOCK_STREAM : SOCK_DGRAM; }

// Takes a port as another program would.
base::unique_fd occupy(net::protocol p, net::endpoint at) {
  const auto where = net::to_sockaddr(at);
  base::unique_fd fd(::socket(where.storage.ss_family, type_of(p) | SOCK_CLOEXEC, 0));
  if (::bind(fd.get(), where.get(), where.size) != 0) return {};
  if (p == net::protocol::tcp && ::listen(fd.get(), 1) != 0) return {};
  return fd;
}

bool taken(net::protocol p, net::endpoint at) { return !occupy(p, at); }

class port_listeners_test : public testing::Test {
 protected:
  void SetUp() override { tasks_.spawn("retries", listeners_.run()); }
  void TearDown() override { EXPECT_TRUE(support::run_task(context_, tasks_.stop(async::clock::now() + 10s))); }

  // A port that was free a moment ago, for both protocols; not one of those that the kernel hands out to others.
  static std::uint16_t free_port() {
    std::random_device random;
    std::uniform_int_distribution<std::uint16_t> any(10'000, 30'000);
    for (auto port = any(random);; port = any(random)) {
      const net::endpoint at{net::address::any_v4(), port};
      if (!taken(net::protocol::tcp, at) && !taken(net::protocol::udp, at)) return port;
    }
  }
  void handle(bool remove, const std::vector<port_mapping::binding>& bindings) {
    for (const auto& b : bindings) {
      const auto key = key_of(b);
      if (remove)
        listeners_.remove(key);
      else
        listeners_.add(key, {nowhere_, key.port});
    }
    listeners_.settle();
  }
  static port_mapping::binding on(net::address ip, std::uint16_t port, net::protocol p = net::protocol::tcp) {
    return {p, 80, {ip, port}};
  }
  bool run_until(const std::function<bool()>& done) {
    const auto deadline = async::clock::now() + 10s;
    context_.restart();
    while (!done() && async::clock::now() < deadline) context_.run_one_for(10ms);
    return done();
  }

  boost::asio::io_context context_;
  async::task_group tasks_{context_.get_executor()};
  port_listeners listeners_{context_.get_executor(), {}};
  const net::address loop_ = net::address::loopback_v4();
  const net::address wild_ = net::address::any_v4();
  const net::address nowhere_ = net::address::parse("fe80::2").value();  // without an interface: no packet leaves
};

TEST_F(port_listeners_test, listens_until_removed) {
  const auto port = free_port();
  handle(false, {on(loop_, port), on(loop_, port, net::protocol::udp)});
  EXPECT_TRUE(taken(net::protocol::tcp, {loop_, port}));
  EXPECT_TRUE(taken(net::protocol::udp, {loop_, port}));
  handle(true, {on(loop_, port)});
  EXPECT_FALSE(taken(net::protocol::tcp, {loop_, port}));
  EXPECT_TRUE(taken(net::protocol::udp, {loop_, port}));
  handle(true, {on(loop_, port, net::protocol::udp)});
  EXPECT_EQ(listeners_.table().size(), 0U);
}

TEST_F(port_listeners_test, doubles_are_nothing) {
  const auto port = free_port();
  handle(true, {on(loop_, port)});
  handle(false, {on(loop_, port), on(loop_, port)});
  handle(false, {on(loop_, port)});
  EXPECT_EQ(listeners_.table().size(), 1U);
  EXPECT_EQ(listeners_.table().waiting(), 0U);
  handle(true, {on(loop_, port), on(loop_, port)});
  EXPECT_FALSE(taken(net::protocol::tcp, {loop_, port}));
}

TEST_F(port_listeners_test, removed_and_added_in_one_breath) {
  const auto port = free_port();
  for (int i = 0; i < 50; ++i) {
    handle(false, {on(loop_, port), on(loop_, port, net::protocol::udp)});
    ASSERT_EQ(listeners_.table().waiting(), 0U);
    handle(true, {on(loop_, port), on(loop_, port, net::protocol::udp)});
  }
}

TEST_F(port_listeners_test, two_addresses_of_one_port_are_two) {
  const auto port = free_port();
  const auto other = net::address::v4(127, 0, 0, 3);
  handle(false, {on(loop_, port), on(other, port)});
  EXPECT_TRUE(taken(net::protocol::tcp, {other, port}));
  handle(true, {on(loop_, port)});
  EXPECT_FALSE(taken(net::protocol::tcp, {loop_, port}));
  EXPECT_TRUE(taken(net::protocol::tcp, {other, port}));
}

TEST_F(port_listeners_test, the_wildcard_takes_over_as_soon_as_the_loopback_one_goes) {
  const auto port = free_port();
  handle(false, {on(loop_, port)});
  handle(false, {on(wild_, port)});
  EXPECT_EQ(listeners_.table().waiting(), 1U);
  handle(true, {on(loop_, port)});
  EXPECT_EQ(listeners_.table().waiting(), 0U);  // within the same message
  EXPECT_TRUE(taken(net::protocol::tcp, {loop_, port}));
  handle(false, {on(loop_, port)});
  handle(true, {on(wild_, port)});
  EXPECT_EQ(listeners_.table().waiting(), 0U);
  EXPECT_TRUE(taken(net::protocol::tcp, {loop_, port}));
  EXPECT_FALSE(taken(net::protocol::tcp, {net::address::v4(127, 0, 0, 3), port}));
}

TEST_F(port_listeners_test, a_wildcard_is_both_families_and_one_key) {
  const auto port = free_port();
  handle(false, {on(wild_, port), on(net::address::any_v6(), port)});
  EXPECT_EQ(listeners_.table().size(), 1U);
  EXPECT_EQ(listeners_.table().waiting(), 0U);
  EXPECT_TRUE(taken(net::protocol::tcp, {loop_, port}));
  EXPECT_TRUE(taken(net::protocol::tcp, {net::address::loopback_v6(), port}));
}

TEST_F(port_listeners_test, a_busy_port_is_taken_when_it_is_free) {
  const auto port = free_port();
  auto tcp = occupy(net::protocol::tcp, {loop_, port}), udp = occupy(net::protocol::udp, {loop_, port});
  handle(false, {on(loop_, port), on(loop_, port, net::protocol::udp)});
  EXPECT_EQ(listeners_.table().waiting(), 2U);
  tcp.reset();
  udp.reset();
  EXPECT_TRUE(run_until([&] { return listeners_.table().waiting() == 0; }));
  EXPECT_TRUE(taken(net::protocol::tcp, {loop_, port}));
}

TEST_F(port_listeners_test, a_busy_port_that_is_removed_stays_alone) {
  const auto port = free_port();
  auto other = occupy(net::protocol::tcp, {loop_, port});
  handle(false, {on(loop_, port)});
  handle(true, {on(loop_, port)});
  EXPECT_EQ(listeners_.table().size(), 0U);
  other.reset();
  context_.restart();
  context_.run_for(100ms);
  EXPECT_FALSE(taken(net::protocol::tcp, {loop_, port}));
}

TEST_F(port_listeners_test, an_address_that_is_not_ours_holds_nothing_up) {
  const auto port = free_port();
  handle(false, {on(net::address::v4(192, 0, 2, 1), port), on(loop_, port)});
  EXPECT_EQ(listeners_.table().waiting(), 1U);
  EXPECT_TRUE(taken(net::protocol::tcp, {loop_, port}));
}

}  // namespace
}  // namespace port_proxy
