// Servers that do everything wrong, and a sink that is cancelled at each of its waits. For AddressSanitizer as well.
#include <gmock/gmock.h>
#include <stdlib.h>

#include "async/timeout.hpp"
#include "http/server.hpp"
#include "sinks/host_switch/host_switch_sink.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/raw_server.hpp"

namespace host_switch_peer {
namespace {

using namespace std::chrono_literals;
using ports::outcome_kind;
using ports::verb;
using support::raw_server;
using testing::HasSubstr;

constexpr auto tap = net::address::v4(127, 0, 0, 77);

std::string answer(int status, const std::string& body, std::size_t promised) {
  return "HTTP/1.1 " + std::to_string(status) + " Said\r\nContent-Length: " + std::to_string(promised) + "\r\n\r\n" +
         body;
}
std::string answer(int status, const std::string& body) { return answer(status, body, body.size()); }

ports::operation add(std::uint16_t port) {
  return {verb::add, {{net::protocol::tcp, net::address::loopback_v4(), port}, 0, ports::source_id::docker, {}}};
}

class host_switch_failures_test : public testing::Test {
 protected:
  std::unique_ptr<host_switch_sink> sink_at(std::uint16_t port) {
    return std::make_unique<host_switch_sink>(
        loop_.executor(),
        host_switch_options{.server = {.host = "127.0.0.1", .port = port}, .tap = tap, .deadline = 300ms});
  }
  std::vector<ports::outcome> apply_to(const raw_server& server, std::vector<ports::operation> batch) {
    const auto sink = sink_at(server.port());
    return loop_.run(sink->apply(std::move(batch)));
  }
  support::event_loop loop_;
};

TEST_F(host_switch_failures_test, each_answer_has_its_outcome_however_long_its_reason) {
  const std::string longer(4'000, 'x');
  struct row {
    int status;
    std::string body;
    outcome_kind kind;
  };
  const std::vector<row> rows{
      {200, "", outcome_kind::done},
      {200, longer, outcome_kind::done},
      {500, "proxy already running " + longer, outcome_kind::exists},
      {500, "listen tcp " + longer + ": bind: address already in use", outcome_kind::conflict},
      {500, "listen tcp " + longer + ": bind: permission denied", outcome_kind::refused},
      {500, longer, outcome_kind::refused},
      {404, longer, outcome_kind::refused},
      {503, "", outcome_kind::refused},
  };
  for (const auto& r : rows) {
    const raw_server server({answer(r.status, r.body)});
    const auto outcomes = apply_to(server, {add(1)});
    EXPECT_EQ(outcomes.at(0).kind, r.kind) << r.status << " " << r.body.substr(0, 40);
    if (r.kind != outcome_kind::done) EXPECT_THAT(outcomes[0].reason, HasSubstr(r.body.substr(0, 100)));
  }
}

TEST_F(host_switch_failures_test, what_is_no_answer_leaves_the_first_unknown_and_the_rest_unsent) {
  const auto half = answer(200, "[]", 4'000);
  std::string endless = "HTTP/1.1 200 OK\r\n";
  while (endless.size() < (1U << 20)) endless += "X-Line: " + std::string(100, 'y') + "\r\n";
  const std::vector<raw_server::behaviour> all{
      {""},                                               // closes
      {"", true},                                         // hangs
      {half},                                             // closes in the middle of an answer
      {half, true},                                       // hangs there
      {answer(200, "[]"), false, true, 9},                // within the status line
      {std::string("\x00\xff\x16\x03\x01 garbage", 14)},  // another protocol
      {"HTTP/1.1 abc OK\r\n\r\n"},
      {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
      {answer(200, std::string(1 << 20, 'b'))},  // larger than any outcome
      {endless},
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    const raw_server server(all[i]);
    const auto outcomes = apply_to(server, {add(1), add(2), add(3)});
    ASSERT_EQ(outcomes.size(), 3U);
    EXPECT_EQ(outcomes[0].kind, outcome_kind::unknown);
    EXPECT_NE(outcomes[0].reason, "");
    for (const auto rest : {1, 2}) {
      EXPECT_EQ(outcomes[static_cast<std::size_t>(rest)].kind, outcome_kind::unsent);
      EXPECT_EQ(outcomes[static_cast<std::size_t>(rest)].reason, outcomes[0].reason);
    }
    EXPECT_EQ(server.connections(), 1U) << "a call that the server may have received is not sent again";
    EXPECT_FALSE(loop_.run(sink_at(server.port())->list()));
  }
}

TEST_F(host_switch_failures_test, a_list_that_is_none_is_an_error_and_never_an_empty_one) {
  const std::string deep(100'000, '[');
  for (const auto& body : {std::string("{}"), std::string("[{]"), std::string("7"), std::string(), deep}) {
    const raw_server server({answer(200, body)});
    EXPECT_FALSE(loop_.run(sink_at(server.port())->list())) << body.substr(0, 10);
  }
}

TEST_F(host_switch_failures_test, no_redirect_is_followed) {
  const raw_server elsewhere({answer(200, "[]")});
  for (const auto status : {301, 302, 303, 307, 308}) {
    const auto to = "http://127.0.0.1:" + std::to_string(elsewhere.port()) + "/services/forwarder/all";
    const raw_server server(
        {"HTTP/1.1 " + std::to_string(status) + " Moved\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n"});
    EXPECT_EQ(apply_to(server, {add(1)}).at(0).kind, outcome_kind::refused);
    EXPECT_FALSE(loop_.run(sink_at(server.port())->list()));
  }
  EXPECT_EQ(elsewhere.connections(), 0U);
}

TEST_F(host_switch_failures_test, no_proxy_variable_is_honoured) {
  const raw_server proxy({answer(502, "")}), server({answer(200, "[]")});
  const auto address = "http://127.0.0.1:" + std::to_string(proxy.port());
  const auto names = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"};
  for (const auto* name : names) ::setenv(name, address.c_str(), 1);
  ::unsetenv("NO_PROXY");
  EXPECT_EQ(apply_to(server, {add(1)}).at(0).kind, outcome_kind::done);
  EXPECT_TRUE(loop_.run(sink_at(server.port())->list()));
  for (const auto* name : names) ::unsetenv(name);
  EXPECT_EQ(proxy.connections(), 0U);
}

// ---- cancelled at every place where it may wait ----

async::task<http::answer> nothing_held(http::incoming) {
  http::response made;
  made.status = 200;
  made.body = "[]";
  co_return http::answer{std::move(made), {}};
}
async::task<> use(host_switch_sink& sink, bool& finished) {
  static_cast<void>(co_await sink.apply({add(support::free_port()), add(support::free_port())}));
  static_cast<void>(co_await sink.list());
  static_cast<void>(co_await async::within(20ms, sink.changed()));
  static_cast<void>(co_await sink.list());
  finished = true;
}

TEST(host_switch_cancelled, at_any_turn_of_the_loop_nothing_is_left_behind) {
  bool finished = false;
  for (unsigned turns = 0; !finished; ++turns) {
    ASSERT_LT(turns, 2'000U);
    boost::asio::io_context context{1};
    auto listener = support::listen_on_loopback();
    host_switch_sink sink(context.get_executor(),
                          {.server = {.host = "127.0.0.1", .port = listener.port}, .tap = tap, .deadline = 5s});
    {
      async::task_group tasks(context.get_executor());
      tasks.spawn("server", http::serve(std::move(listener.fd), nothing_held));
      tasks.spawn("client", use(sink, finished));
      for (unsigned i = 0; i < turns && !finished; ++i) context.run_one_for(50ms);
    }
    context.restart();
    context.run();
  }
}

}  // namespace
}  // namespace host_switch_peer
