// What depends on which side is a tunnel, and on the state. tcp_relay_test has the transport of bytes.
#include "relay/tcp_connection.hpp"

#include <gmock/gmock.h>

#include "net/stream_address.hpp"
#include "relay/sockets.hpp"
#include "relay/tcp_relay.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace relay {
namespace {

using support::accept_one;
using support::eventually;
using support::local_endpoint;
using support::read_all;
using support::read_exactly;
using support::send_all;

// A UNIX socket in front of TCP, as the host end of a tunnel has it.
class tcp_connection_test : public testing::Test {
 protected:
  void TearDown() override {
    loop_.call([this] { end(); });
  }
  void end() {
    loop_.stop_ticking();
    listener_.reset();
    relay_.reset();
  }
  void start(tunnel_side tunnel, std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    base::unique_fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listening.get(), at_.get(), at_.size), 0);
    ASSERT_EQ(::listen(listening.get(), 8), 0);
    const stream_target to{net::to_sockaddr(local_endpoint(target_.get())), tunnel, 0};
    loop_.call([&] {
      relay_.emplace(loop_, count_, short_, budget_, timeout);
      listener_ = relay_->listen(std::move(listening), to).value();
    });
  }
  void dial_it() {
    client_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    support::set_deadline(client_.get());
    ASSERT_EQ(::connect(client_.get(), at_.get(), at_.size), 0);
  }
  void connect() {
    dial_it();
    server_ = accept_one(target_.get());
  }
  // The way a stream ends: its bytes, or "reset".
  static std::string rest_of(const base::unique_fd& fd) try {
    return read_all(fd.get());
  } catch (const std::system_error& e) {
    return e.code() == std::errc::connection_reset ? "reset" : e.what();
  }
  [[nodiscard]] bool all_closed() const {
    return eventually([this] { return count_.connections == 0; });
  }

  support::temp_dir directory_;
  net::socket_address at_ = net::to_sockaddr(net::stream_address(net::unix_path{(directory_ / "data").string()}));
  base::unique_fd target_ = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0}), client_, server_;
  counters count_;
  shortage short_;
  descriptor_budget budget_{1'024};
  os::event_loop loop_;
  std::optional<tcp_relay> relay_;
  std::unique_ptr<os::event_handler> listener_;
};

TEST_F(tcp_connection_test, a_tunnel_whose_client_ends_one_direction_gets_its_answer) {
  start(tunnel_side::client);
  connect();
  send_all(client_.get(), "question");
  ::shutdown(client_.get(), SHUT_WR);
  EXPECT_EQ(rest_of(server_), "question");
  send_all(server_.get(), "answer");
  server_.reset();
  EXPECT_EQ(rest_of(client_), "answer");
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_connection_test, a_tunnel_that_its_client_closes_as_a_whole_is_a_reset_for_the_target) {
  start(tunnel_side::client);
  connect();
  send_all(client_.get(), "x");
  EXPECT_EQ(read_exactly(server_.get(), 1), "x");
  client_.reset();
  EXPECT_EQ(rest_of(server_), "reset");
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_connection_test, another_client_that_closes_has_ended_its_direction) {
  start(tunnel_side::none);
  connect();
  send_all(client_.get(), "x");
  client_.reset();
  EXPECT_EQ(rest_of(server_), "x");
  EXPECT_EQ(count_.connections, 1U) << "the target may still write";
  send_all(server_.get(), "too late");
  EXPECT_TRUE(all_closed()) << "the answer has no reader";
}

TEST_F(tcp_connection_test, a_tunnel_that_is_closed_after_both_directions_have_ended_is_no_reset) {
  start(tunnel_side::client);
  connect();
  ::shutdown(server_.get(), SHUT_WR);
  EXPECT_EQ(rest_of(client_), "");
  send_all(client_.get(), "last");
  client_.reset();
  EXPECT_EQ(rest_of(server_), "last");
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_connection_test, a_reset_of_the_target_closes_the_tunnel_as_a_whole) {
  start(tunnel_side::client);
  connect();
  send_all(server_.get(), "x");
  EXPECT_EQ(read_exactly(client_.get(), 1), "x");
  reset_on_close(server_.get());
  server_.reset();
  EXPECT_EQ(rest_of(client_), "");
  EXPECT_TRUE(is_abandoned(client_.get()));
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_connection_test, while_the_target_is_dialled_the_client_is_not_read_and_its_end_changes_nothing) {
  ASSERT_EQ(::listen(target_.get(), 0), 0);  // a queue of one, which is taken now
  const auto filling = support::connected_socket(SOCK_STREAM, local_endpoint(target_.get()));
  start(tunnel_side::client, std::chrono::milliseconds(100));
  dial_it();
  send_all(client_.get(), "early");
  ASSERT_TRUE(eventually([this] { return count_.accepted == 1; }));
  EXPECT_EQ(count_.connect_failures + count_.connections, 1U);
  EXPECT_NE(rest_of(client_), "early");
  EXPECT_EQ(count_.connect_failures, 1U) << "it did not meet the timeout";
  EXPECT_TRUE(all_closed());
}

TEST_F(tcp_connection_test, the_end_of_its_relay_closes_both_sockets) {
  start(tunnel_side::none);
  connect();
  send_all(client_.get(), "x");
  EXPECT_EQ(read_exactly(server_.get(), 1), "x");
  loop_.call([this] { end(); });
  EXPECT_EQ(rest_of(client_), "");
  EXPECT_TRUE(is_abandoned(client_.get()));
  EXPECT_EQ(rest_of(server_), "");
}

}  // namespace
}  // namespace relay
