// Receivers that do everything wrong, and a sink that is cancelled at each of its waits. For AddressSanitizer as well.
#include <gmock/gmock.h>

#include "async/timeout.hpp"
#include "sinks/port_mapping/port_mapping_sink.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/fake_tunnel.hpp"
#include "tests/support/fake_wsl_proxy.hpp"
#include "tests/support/raw_server.hpp"
#include "tests/support/temp_dir.hpp"

namespace port_mapping_peer {
namespace {

using namespace std::chrono_literals;
using ports::outcome_kind;
using ports::verb;
using support::raw_server;

ports::operation op(verb what, std::uint16_t port) {
  return {what, {{net::protocol::tcp, net::address::any_v4(), port}, 80, ports::source_id::docker, {}}};
}
std::vector<ports::operation> many(verb what, std::uint16_t count) {
  std::vector<ports::operation> made;
  for (std::uint16_t port = 1; port <= count; ++port) made.push_back(op(what, port));
  return made;
}
port_mapping_options toward(net::stream_address peer) {
  return {.peer = std::move(peer), .interface = "lo", .deadline = 300ms, .patience = 50ms};
}
net::endpoint at(std::uint16_t port) { return {net::address::loopback_v4(), port}; }

class port_mapping_failures_test : public testing::Test {
 protected:
  std::vector<ports::outcome> apply_to(net::stream_address peer, std::vector<ports::operation> batch) {
    port_mapping_sink sink(loop_.executor(), toward(std::move(peer)));
    return loop_.run(sink.apply(std::move(batch)));
  }
  support::temp_dir directory_;
  support::event_loop loop_;
};

TEST_F(port_mapping_failures_test, without_a_listener_nothing_is_sent) {
  const std::filesystem::path nowhere = directory_ / std::string(60, 'n');
  for (const auto& peer : {net::stream_address(net::unix_path{nowhere}), net::stream_address(at(1))}) {
    const auto outcomes = apply_to(peer, {op(verb::remove, 1), op(verb::add, 2)});
    for (const auto& o : outcomes) {
      EXPECT_EQ(o.kind, outcome_kind::unsent);
      EXPECT_NE(o.reason, "");
    }
  }
}

// It may send any answer, and reset the connection: the message was under way.
TEST_F(port_mapping_failures_test, a_receiver_that_talks_and_does_not_listen_leaves_the_message_unknown_or_done) {
  const raw_server server({.answer = std::string(100'000, 'g'), .reads = false});
  const auto kind = apply_to(at(server.port()), {op(verb::add, 1)}).at(0).kind;
  EXPECT_TRUE(kind == outcome_kind::unknown || kind == outcome_kind::done) << to_string(kind);
}

TEST_F(port_mapping_failures_test, a_hung_proxy_costs_one_deadline_for_a_whole_batch) {
  support::fake_wsl_proxy proxy(directory_ / "proxy.sock");
  proxy.start_hanging();
  port_mapping_sink sink(loop_.executor(), toward(net::unix_path{directory_ / "proxy.sock"}));
  while (loop_.run(sink.apply({op(verb::add, 1)})).front().kind == outcome_kind::done) {
  }  // until its backlog is full
  const auto before = async::clock::now();
  auto batch = many(verb::remove, 4'096);
  batch.push_back(op(verb::add, 1));
  const auto outcomes = loop_.run(sink.apply(std::move(batch)));
  EXPECT_EQ(outcomes.front().kind, outcome_kind::unsent) << "no connection was made";
  EXPECT_EQ(outcomes.back().kind, outcome_kind::unsent);
  EXPECT_LT(async::clock::now() - before, 5s);
}

// ---- cancelled at every place where it may wait ----

async::task<> use(port_mapping_sink& sink, bool& finished) {
  static_cast<void>(co_await sink.list());
  static_cast<void>(co_await sink.apply({op(verb::remove, 1), op(verb::add, 2)}));
  static_cast<void>(co_await async::within(20ms, sink.changed()));
  static_cast<void>(co_await sink.list());
  finished = true;
}
void cancel_at_every_turn(const net::stream_address& peer) {
  bool finished = false;
  for (unsigned turns = 0; !finished; ++turns) {
    ASSERT_LT(turns, 2'000U);
    boost::asio::io_context context{1};
    {
      port_mapping_sink sink(context.get_executor(), toward(peer));
      async::task_group tasks(context.get_executor());
      tasks.spawn("client", use(sink, finished));
      for (unsigned i = 0; i < turns && !finished; ++i) context.run_one_for(50ms);
      bool ended = false;
      auto end = [](async::task_group& group, bool& flag) -> async::task<> {
        co_await group.stop(async::clock::time_point::max());
        flag = true;
      };
      async::task_group stopper(context.get_executor());
      stopper.spawn("stop", end(tasks, ended));
      context.restart();
      while (!ended) context.run_one_for(50ms);
    }
    context.restart();
    context.run();
  }
}

TEST_F(port_mapping_failures_test, cancelled_at_any_turn_toward_a_socket_nothing_is_left_behind) {
  support::fake_wsl_proxy proxy(directory_ / "proxy.sock");
  proxy.start();
  cancel_at_every_turn(net::unix_path{directory_ / "proxy.sock"});
}

TEST_F(port_mapping_failures_test, cancelled_at_any_turn_toward_a_tunnel_nothing_is_left_behind) {
  const support::fake_tunnel tunnel;
  cancel_at_every_turn(tunnel.at());
}

}  // namespace
}  // namespace port_mapping_peer
