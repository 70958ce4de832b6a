// The sink against the real host-switch library over real sockets, and against misbehaving servers.
#include "sinks/host_switch/host_switch_sink.hpp"

#include <gmock/gmock.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "async/timeout.hpp"
#include "http/server.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "programs/host_switch/kernel_network.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/socket_peer.hpp"

namespace host_switch_peer {
namespace {

using namespace std::chrono_literals;
using ports::outcome_kind;
using ports::verb;

async::task<http::answer> serve_forwarder(host_switch::forwarder* forwards, http::incoming in) {
  co_return http::answer{forwards->answer(in.head, in.peer), {}};
}
async::task<http::answer> never(http::incoming) {
  co_await async::sleep_for(1h);
  co_return http::answer{};
}

// Answers the first request on a connection, and closes it at the second.
async::task<> answer_once(boost::asio::ip::tcp::socket socket) {
  std::string bytes;
  co_await boost::asio::async_read_until(socket, boost::asio::dynamic_buffer(bytes, 65536), "\r\n\r\n", async::nothrow);
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]";
  co_await boost::asio::async_write(socket, boost::asio::buffer(answer), async::nothrow);
  bytes.clear();
  co_await boost::asio::async_read_until(socket, boost::asio::dynamic_buffer(bytes, 65536), "\r\n\r\n", async::nothrow);
}
async::task<> answer_each_once(base::unique_fd listener) {
  const auto where = co_await async::asio::this_coro::executor;
  boost::asio::ip::tcp::acceptor acceptor(where, boost::asio::ip::tcp::v4(), listener.release());
  async::task_group sessions(where);
  while (true) {
    auto [ec, socket] = co_await acceptor.async_accept(async::nothrow);
    co_await async::check_cancelled();
    sessions.spawn("session", answer_once(std::move(socket)));
  }
}

async::task<> note_change(host_switch_sink& sink, bool& changed) {
  co_await sink.changed();
  changed = true;
}

class host_switch_sink_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }  // its tasks use what is destroyed before it

  template <class Server>
  void serve_by(Server run) {
    auto listener = support::listen_on_loopback(port_);
    port_ = listener.port;
    server_ = std::make_unique<async::task_group>(loop_.executor());
    server_->spawn("server", run(std::move(listener.fd)));
    sink_ = std::make_unique<host_switch_sink>(
        loop_.executor(),
        host_switch_options{.server = {.host = "127.0.0.1", .port = port_}, .tap = tap, .deadline = 2s, .resync = 60s});
  }
  void serve(http::handler handler, http::server_limits limits = {}) {
    serve_by([&](base::unique_fd listener) { return http::serve(std::move(listener), std::move(handler), limits); });
  }
  void serve_real(http::server_limits limits = {}) {
    auto* forwards = &forwards_;
    serve([forwards](http::incoming in) { return serve_forwarder(forwards, std::move(in)); }, limits);
  }
  void kill_server() {
    server_.reset();
    loop_.run_until([] { return false; }, 20ms);
  }
  ports::operation op(verb what, std::uint16_t port) {
    return {what, {{net::protocol::tcp, net::address::loopback_v4(), port}, 0, ports::source_id::docker, {}}};
  }
  ports::outcome apply(ports::operation operation) { return loop_.run(sink_->apply({std::move(operation)})).at(0); }

  static constexpr auto tap = net::address::v4(192, 168, 127, 2);
  support::event_loop loop_;
  host_switch::kernel_network network_{{net::address::v4(192, 168, 127, 1), 80}};
  host_switch::access_policy policy_{
      host_switch::subnet::parse("192.168.127.0/24").value(), network_.api(), {"127.0.0.1"}, [](const net::address&) {
        return false;
      }};
  host_switch::forwarder forwards_{network_, policy_, 100};
  std::uint16_t port_ = 0;
  std::unique_ptr<async::task_group> server_;
  std::unique_ptr<host_switch_sink> sink_;
};

TEST_F(host_switch_sink_test, exposes_lists_and_unexposes) {
  serve_real();
  const auto port = support::free_port();
  EXPECT_EQ(apply(op(verb::add, port)).kind, outcome_kind::done);
  const auto state = loop_.run(sink_->list());
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_TRUE(state->complete);
  ASSERT_EQ(state->held.size(), 1U);
  EXPECT_EQ(state->held[0].key, op(verb::add, port).target.key);
  EXPECT_TRUE(state->held[0].exact);
  EXPECT_EQ(apply(op(verb::add, port)).kind, outcome_kind::exists);
  EXPECT_EQ(apply(op(verb::remove, port)).kind, outcome_kind::done);
  EXPECT_EQ(apply(op(verb::remove, port)).kind, outcome_kind::done) << "not found is as good";
}

TEST_F(host_switch_sink_test, a_busy_port_is_a_conflict_with_the_hosts_reason) {
  serve_real();
  const auto holder = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
  const auto result = apply(op(verb::add, support::local_endpoint(holder.get()).port));
  EXPECT_EQ(result.kind, outcome_kind::conflict);
  EXPECT_THAT(result.reason, testing::EndsWith("bind: address already in use"));
}

TEST_F(host_switch_sink_test, a_connection_that_was_closed_while_idle_costs_nothing) {
  serve_real({.idle = 200ms});
  for (int i = 0; i < 3; ++i) {
    const auto port = support::free_port();
    ASSERT_EQ(apply(op(verb::add, port)).kind, outcome_kind::done);
    loop_.run_until([] { return false; }, 300ms);
  }
}

TEST_F(host_switch_sink_test, a_server_that_is_away_is_an_error_of_the_list_and_nothing_is_sent) {
  serve_real();
  kill_server();
  EXPECT_FALSE(loop_.run(sink_->list()));
  const auto result = apply(op(verb::add, 8080));
  EXPECT_EQ(result.kind, outcome_kind::unsent);
  EXPECT_THAT(result.reason, testing::HasSubstr("refused"));
}

TEST_F(host_switch_sink_test, a_server_that_never_answers_meets_the_deadline) {
  serve(never);
  sink_ = std::make_unique<host_switch_sink>(
      loop_.executor(),
      host_switch_options{.server = {.host = "127.0.0.1", .port = port_}, .tap = tap, .deadline = 50ms});
  EXPECT_EQ(loop_.run(sink_->list()).error().code, std::errc::timed_out);
  EXPECT_EQ(apply(op(verb::add, 8080)).kind, outcome_kind::unknown);
  const auto before = async::clock::now();
  const auto outcomes = loop_.run(sink_->apply(std::vector<ports::operation>(16, op(verb::add, 8080))));
  EXPECT_EQ(outcomes.size(), 16U);
  EXPECT_EQ(outcomes.front().kind, outcome_kind::unknown);
  EXPECT_EQ(outcomes.back().kind, outcome_kind::unsent);
  EXPECT_LT(async::clock::now() - before, 500ms) << "one deadline for the whole batch";
}

TEST_F(host_switch_sink_test, a_connection_that_ends_as_the_request_is_sent_costs_the_list_nothing) {
  serve_by(answer_each_once);
  ASSERT_TRUE(loop_.run(sink_->list()));
  ASSERT_EQ(apply(op(verb::add, 1)).kind, outcome_kind::done) << "over a new connection, which is kept";
  const auto state = loop_.run(sink_->list());
  EXPECT_TRUE(state) << state.error().message();
}

TEST_F(host_switch_sink_test, a_call_that_was_cut_off_may_have_been_heard_and_is_not_sent_again) {
  serve_by(answer_each_once);
  EXPECT_EQ(apply(op(verb::add, 1)).kind, outcome_kind::done);
  EXPECT_EQ(apply(op(verb::add, 2)).kind, outcome_kind::unknown);
  EXPECT_EQ(apply(op(verb::add, 2)).kind, outcome_kind::done);
}

TEST_F(host_switch_sink_test, the_death_of_the_server_is_noticed_at_once) {
  serve_real();
  ASSERT_TRUE(loop_.run(sink_->list()));
  bool changed = false;
  loop_.spawn(note_change(*sink_, changed));
  loop_.run_until([] { return false; }, 50ms);
  EXPECT_FALSE(changed);
  const auto before = async::clock::now();
  server_.reset();
  EXPECT_TRUE(loop_.run_until([&] { return changed; }));
  EXPECT_LT(async::clock::now() - before, 1s);
}

// Lists every so often, whatever the connection does.
TEST_F(host_switch_sink_test, a_quiet_server_is_listed_every_so_often) {
  serve_real({.idle = 10h});
  ASSERT_TRUE(loop_.run(sink_->list()));
  bool changed = false;
  loop_.spawn(note_change(*sink_, changed));
  loop_.settle();
  loop_.pass_time(59s);
  loop_.settle();
  EXPECT_FALSE(changed);
  loop_.pass_time(2s);
  EXPECT_TRUE(loop_.run_until([&] { return changed; }));
}

TEST_F(host_switch_sink_test, a_server_that_keeps_no_connection_open_is_not_polled_without_pause) {
  serve_real({.idle = 100ms});
  const auto before = async::clock::now();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(loop_.run(sink_->list()));
    bool changed = false;
    loop_.spawn(note_change(*sink_, changed));
    ASSERT_TRUE(loop_.run_until([&] { return changed; }));
  }
  EXPECT_GE(async::clock::now() - before, 900ms);
}

TEST_F(host_switch_sink_test, a_list_may_run_while_the_idle_connection_is_watched) {
  serve_real();
  ASSERT_TRUE(loop_.run(sink_->list()));
  bool changed = false;
  loop_.spawn(note_change(*sink_, changed));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(loop_.run(sink_->list()));
  EXPECT_FALSE(changed);
}

}  // namespace
}  // namespace host_switch_peer
