#include "sinks/visible_listeners/local_listeners_sink.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"

namespace visible_listeners {
namespace {

using ports::outcome_kind;
using ports::verb;
using testing::HasSubstr;

class local_listeners_test : public testing::Test {
 protected:
  void TearDown() override { close(); }
  ports::outcome apply(verb what, const ports::port_key& key) {
    return loop_.run(sink_->apply({{what, {key, 0, ports::source_id::iptables, {}}}})).front();
  }
  void close() {
    bool done = false;
    const auto run = [](local_listeners_sink& sink, bool& flag) -> async::task<> {
      co_await sink.close();
      flag = true;
    };
    loop_.spawn(run(*sink_, done));
    EXPECT_TRUE(loop_.run_until([&] { return done; }));
  }
  std::size_t held() { return loop_.run(sink_->list())->held.size(); }

  static ports::port_key at(std::uint16_t port) { return {net::protocol::tcp, net::address::loopback_v4(), port}; }
  static std::uint16_t free_port() { return support::listen_on_loopback().port; }
  // 0: connected, and closed by the other side without any bytes.
  static int connect_and_read(std::uint16_t port, support::event_loop& loop) {
    const base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto to = net::to_sockaddr({net::address::loopback_v4(), port});
    if (::connect(fd.get(), to.get(), to.size) != 0) return errno;
    char byte = 0;
    ssize_t got = -1;
    loop.run_until([&] { return (got = ::recv(fd.get(), &byte, 1, MSG_DONTWAIT)) >= 0 || errno != EAGAIN; });
    return got == 0 ? 0 : EIO;
  }

  support::event_loop loop_;
  std::unique_ptr<local_listeners_sink> sink_ = std::make_unique<local_listeners_sink>(loop_.executor());
};

TEST_F(local_listeners_test, a_connection_is_taken_and_closed) {
  const auto port = free_port();
  EXPECT_EQ(apply(verb::add, at(port)).kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, at(port)).kind, outcome_kind::done);
  EXPECT_EQ(held(), 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(connect_and_read(port, loop_), 0);
  EXPECT_EQ(apply(verb::remove, at(port)).kind, outcome_kind::done);
  EXPECT_EQ(held(), 0);
  EXPECT_EQ(connect_and_read(port, loop_), ECONNREFUSED);
}

TEST_F(local_listeners_test, a_port_of_another_program_is_a_conflict) {
  const auto other = support::listen_on_loopback();
  const auto outcome = apply(verb::add, at(other.port));
  EXPECT_EQ(outcome.kind, outcome_kind::conflict);
  EXPECT_THAT(outcome.reason, HasSubstr("in use"));
  EXPECT_EQ(held(), 0);
}

// Only a port that is in use frees itself one day.
TEST_F(local_listeners_test, what_the_kernel_will_not_give_is_refused_with_its_reason) {
  const auto elsewhere = apply(verb::add, {net::protocol::tcp, net::address::v4(203, 0, 113, 77), 8080});
  EXPECT_EQ(elsewhere.kind, outcome_kind::refused);
  EXPECT_THAT(elsewhere.reason, HasSubstr("assign"));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const auto port = free_port();
  const base::unique_fd next(::dup(0));  // the lowest free number
  const rlimit none{static_cast<rlim_t>(next.get()), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto none_left = apply(verb::add, at(port));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(none_left.kind, outcome_kind::refused);
  EXPECT_THAT(none_left.reason, HasSubstr("Too many open files"));
  EXPECT_EQ(held(), 0);
  EXPECT_EQ(apply(verb::add, at(port)).kind, outcome_kind::done);
}

TEST_F(local_listeners_test, only_tcp) {
  EXPECT_EQ(apply(verb::add, {net::protocol::udp, net::address::loopback_v4(), 1}).kind, outcome_kind::refused);
}

TEST_F(local_listeners_test, nothing_is_open_after_the_end) {
  const auto port = free_port();
  apply(verb::add, at(port));
  close();
  EXPECT_EQ(connect_and_read(port, loop_), ECONNREFUSED);
  EXPECT_EQ(apply(verb::add, at(port)).kind, outcome_kind::done);
  EXPECT_EQ(held(), 0);
}

}  // namespace
}  // namespace visible_listeners
