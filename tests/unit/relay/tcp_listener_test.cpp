#include "relay/tcp_listener.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/syscall.h>

#include "relay/tcp_relay.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using support::accept_one;
using support::connected_socket;
using support::eventually;
using support::is_reset;
using support::local_endpoint;

constexpr auto loopback = net::address::loopback_v4();

// One thread, one relay, one listener, in front of a target that the test plays.
class stage {
 public:
  explicit stage(std::size_t descriptors = 1'024) : budget_(descriptors) {
    auto fd = support::bound_socket(SOCK_STREAM, {loopback, 0});
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    listen = local_endpoint(fd.get());
    listening_ = std::move(fd);
  }
  stage(const stage&) = delete;
  stage& operator=(const stage&) = delete;
  ~stage() {
    loop.call([this] {
      loop.stop_ticking();
      listener.reset();
      relay_.reset();
    });
  }
  void start(admission admit = {}, std::uint32_t only_cid = 0) {
    const stream_target to{net::to_sockaddr(local_endpoint(target.get())), tunnel_side::none, only_cid};
    loop.call([&] {
      relay_.emplace(loop, count, short_, budget_, std::chrono::seconds(10));
      listener = relay_->listen(std::move(listening_), to, std::move(admit)).value();
    });
  }
  [[nodiscard]] base::unique_fd connect() const { return connected_socket(SOCK_STREAM, listen); }
  [[nodiscard]] bool serves(const base::unique_fd& client) const {
    const auto server = accept_one(target.get());
    support::send_all(client.get(), "x");
    return support::read_exactly(server.get(), 1) == "x";
  }

  base::unique_fd target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  net::endpoint listen;
  counters count;
  os::event_loop loop;
  std::unique_ptr<os::event_handler> listener;

 private:
  shortage short_;
  descriptor_budget budget_;
  base::unique_fd listening_;
  std::optional<tcp_relay> relay_;
};

TEST(tcp_listener, a_client_that_may_not_connect_is_reset_and_the_target_never_dialled) {
  stage s;
  std::atomic<int> asked = 0;
  s.start([&asked](int client) { return client >= 0 && ++asked > 1; });
  EXPECT_TRUE(is_reset(s.connect()));
  EXPECT_EQ(s.count.refused, 1U);
  EXPECT_EQ(s.count.accepted, 0U);
  const auto second = s.connect();
  EXPECT_TRUE(s.serves(second)) << "the target's first connection is not that of the second client";
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(s.count.accepted, 1U);
  EXPECT_EQ(s.count.refused, 1U);
}

TEST(tcp_listener, for_one_machine_alone_it_refuses_sockets_that_come_from_none) {
  stage s;
  bool asked = false;
  s.start([&asked](int) { return asked = true; }, 3);
  EXPECT_TRUE(is_reset(s.connect()));
  EXPECT_EQ(s.count.refused, 1U);
  EXPECT_FALSE(asked) << "the machine is checked first";
}

TEST(tcp_listener, a_client_beyond_the_share_is_reset_and_the_place_of_one_that_ends_is_free_again) {
  stage s(64);
  s.start();
  std::vector<base::unique_fd> clients, servers;
  while (s.count.refused == 0) {
    ASSERT_LT(clients.size(), 64U) << "the share has no bound";
    auto client = s.connect();
    ASSERT_TRUE(eventually([&] { return s.count.accepted + s.count.refused == clients.size() + 1; }));
    if (s.count.refused == 0) servers.push_back(accept_one(s.target.get()));
    clients.push_back(std::move(client));
  }
  EXPECT_TRUE(is_reset(clients.back()));
  ASSERT_FALSE(servers.empty());
  support::send_all(clients.front().get(), "held");
  EXPECT_EQ(support::read_exactly(servers.front().get(), 4), "held");
  const auto open = s.count.connections.load();
  clients.clear();
  servers.clear();
  ASSERT_TRUE(eventually([&] { return s.count.connections == 0; })) << open;
  EXPECT_TRUE(s.serves(s.connect()));
}

// The kernel reports such a refusal after connect() has returned, so each connection waits for its target for a moment.
TEST(tcp_listener, one_tick_watches_all_connections_that_wait_for_their_target) {
  stage s;
  s.start();
  s.target.reset();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(is_reset(s.connect())) << i;
  EXPECT_EQ(s.count.connect_failures, 20U);
  std::size_t ticking = 0;
  s.loop.call([&] { ticking = s.loop.tickers(); });
  EXPECT_EQ(ticking, 1U);
}

// The kernel refuses accept4() with these flags to the relay's thread, which inherits the filter of its maker.
constexpr support::refused_call no_descriptor{SYS_accept4, 3, SOCK_NONBLOCK | SOCK_CLOEXEC, EMFILE};

TEST(tcp_listener, out_of_descriptors_it_pauses_and_the_client_stays_in_the_queue) {
  testing::internal::CaptureStderr();
  const bool ran = support::run_without(no_descriptor, [] {
    stage s;
    s.start();
    const auto client = s.connect();
    EXPECT_TRUE(eventually([&] {
      std::size_t ticking = 0;
      s.loop.call([&] { ticking = s.loop.tickers(); });
      return ticking == 1;
    }));
    EXPECT_EQ(s.count.accepted + s.count.refused, 0U);
    char byte = 0;
    EXPECT_EQ(::recv(client.get(), &byte, 1, MSG_DONTWAIT), -1);
    EXPECT_EQ(errno, EAGAIN) << "the client was cut off";
  });
  const std::string log = testing::internal::GetCapturedStderr();
  if (!ran) GTEST_SKIP() << "no seccomp filters here";
  EXPECT_THAT(log, testing::HasSubstr("accept failed, retrying"));
  EXPECT_EQ(log.find("accept failed"), log.rfind("accept failed")) << log;
}

// Of one connection, and of all.
TEST(tcp_listener, an_error_that_never_ends_is_a_pause) {
  for (const auto error_number : {unsigned{EPERM}, unsigned{EACCES}}) {
    testing::internal::CaptureStderr();
    const auto refused = [error_number] {
      auto call = no_descriptor;
      call.error_number = error_number;
      return call;
    }();
    const bool ran = support::run_without(refused, [] {
      stage s;
      s.start();
      const auto client = s.connect();
      EXPECT_TRUE(eventually([&] {
        std::size_t ticking = 0;
        s.loop.call([&] { ticking = s.loop.tickers(); });
        return ticking == 1;
      }));
    });
    const std::string log = testing::internal::GetCapturedStderr();
    if (!ran) GTEST_SKIP() << "no seccomp filters here";
    EXPECT_THAT(log, testing::HasSubstr("accept failed, retrying")) << error_number;
  }
}

TEST(tcp_listener, a_pause_may_outlive_its_listener) {
  testing::internal::CaptureStderr();
  const bool ran = support::run_without(no_descriptor, [] {
    stage s;
    s.start();
    const auto client = s.connect();
    bool paused = false;
    ASSERT_TRUE(eventually([&] {
      s.loop.call([&] {
        paused = s.loop.tickers() == 1;
        if (paused) s.listener.reset();
      });
      return paused;
    }));
    EXPECT_TRUE(eventually([&] {
      std::size_t ticking = 1;
      s.loop.call([&] { ticking = s.loop.tickers(); });
      return ticking == 0;
    })) << "it ticks for ever";
  });
  testing::internal::GetCapturedStderr();
  if (!ran) GTEST_SKIP() << "no seccomp filters here";
}

}  // namespace
}  // namespace relay
