#include "programs/guest_agent/status_page.hpp"

#include <gmock/gmock.h>

#include "http/connection.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/metrics_check.hpp"

namespace guest_agent {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class status_page_test : public testing::Test {
 protected:
  status_page_test() : middle_(loop_.executor(), {}) { middle_.enable(ports::source_id::docker); }
  ~status_page_test() override { loop_.stop(); }

  http::response ask(std::string target, std::string method = "GET", http::header_map headers = {},
                     const std::string& host = "localhost:9990") {
    headers["Host"] = host;
    return page_.answer({{std::move(method), std::move(target), std::move(headers), ""}, "192.168.127.1"}).head;
  }

  support::event_loop loop_;
  controller middle_;
  status_page page_{loop_.executor(), middle_, net::address::loopback_v4()};
};

TEST_F(status_page_test, serves_the_page_with_its_policy) {
  const auto page = ask("/");
  EXPECT_EQ(page.status, 200U);
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.header("Content-Security-Policy"), HasSubstr("script-src 'sha256-"));
  EXPECT_EQ(page.header("Cache-Control"), "no-store");
  EXPECT_THAT(page.body, testing::StartsWith("<!doctype html>"));
}

TEST_F(status_page_test, serves_the_status_and_the_metrics) {
  const auto status = ask("/v1/status");
  EXPECT_EQ(status.header("Content-Type"), "application/json");
  EXPECT_EQ(status.header("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'");
  EXPECT_THAT(status.body, HasSubstr(R"("name":"docker")"));
  const auto metrics = ask("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("guestagent_source_up"));
  EXPECT_EQ(support::metrics_faults(metrics), "");
  EXPECT_EQ(ask("/favicon.ico").status, 404U);
  EXPECT_EQ(ask("/v1/status/watch", "HEAD").header("Content-Type"), "application/x-ndjson");
}

TEST_F(status_page_test, a_client_that_asks_on_and_on_gets_one_text) {
  const auto first = ask("/v1/status").body;
  middle_.degraded(ports::source_id::docker, {{}, "a change"});
  EXPECT_EQ(ask("/v1/status").body, first) << "not made again for each request";
  loop_.pass_time(100ms);
  EXPECT_THAT(ask("/v1/status").body, HasSubstr("a change"));
}

TEST_F(status_page_test, each_path_refuses_other_sites) {
  for (const auto* path : {"/", "/v1/status", "/v1/status/watch", "/metrics", "/other"}) {
    const auto rebound = ask(path, "GET", {}, "rebind.example");
    EXPECT_EQ(rebound.status, 403U) << path;
    EXPECT_EQ(rebound.header("X-Content-Type-Options"), "nosniff") << path;
    EXPECT_EQ(ask(path, "GET", {{"Origin", "http://pages.example"}}).status, 403U) << path;
    EXPECT_EQ(ask(path, "POST").status, 405U) << path;
  }
}

TEST_F(status_page_test, a_client_with_many_streams_is_refused_more) {
  auto listening = support::listen_on_loopback();
  loop_.spawn(page_.serve(std::move(listening.fd)));
  std::vector<http::connection> streams;
  unsigned refused = 0;
  for (int i = 0; i < 20; ++i) {
    auto c = loop_.run(http::connection::open({.host = "127.0.0.1", .port = listening.port}, 5s));
    ASSERT_TRUE(c);
    auto head = loop_.run(c->open_stream({.target = "/v1/status/watch"}, {}));
    ASSERT_TRUE(head);
    refused += head->status == 503 ? 1 : 0;
    streams.push_back(std::move(*c));
  }
  EXPECT_EQ(refused, 4U);
  auto c = loop_.run(http::connection::open({.host = "127.0.0.1", .port = listening.port}, 5s));
  ASSERT_TRUE(c);
  const auto status = loop_.run(c->exchange({.target = "/v1/status"}, {}));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->status, 200U) << "what is not a stream is still served";
}

}  // namespace
}  // namespace guest_agent
