// Which clients the status page answers: people on the host and in the VM. Not the LAN, not containers, not web pages.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/integration/page_lab.hpp"
#include "tests/support/fetch.hpp"
#include "tests/support/metrics_check.hpp"
#include "tests/support/neighbour.hpp"
#include "tests/support/promtool.hpp"
#include "tests/support/raw_request.hpp"

namespace integration {
namespace {

using support::http_status;
using support::place;
using support::raw_request;
using support::to_bytes;
using support::unprivileged;

class page_readers : public page_lab {
 protected:
  // 0: no answer.
  static int status(const place& from, const raw_request& r, const net::endpoint& to = page_at) {
    return http_status(from, to, to_bytes(r)).value_or(0);
  }
  static raw_request get(std::vector<std::string> headers, std::string target = "/v1/status") {
    return {.target = std::move(target), .headers = std::move(headers)};
  }
};

TEST_F(page_readers, people_on_the_host_in_the_vm_and_in_other_distributions_read_it) {
  for (const place& from : {place(lab_->host()), place(lab_->host(), unprivileged), place(lab_->wsl(), unprivileged),
                            place(lab_->rd(), unprivileged)}) {
    for (const auto* target : {"/", "/v1/status", "/metrics"})
      EXPECT_EQ(status(from, get({"Host: localhost:9990"}, target)), 200) << target;
    EXPECT_EQ(status(from, get({"Host: localhost:19990"})), 200) << "the host may map the port";
  }
}

TEST_F(page_readers, the_lan_and_containers_do_not_reach_it) {
  const support::neighbour lan(lab_->host(), "lan", 1);
  lab_->docker().run("web", {});
  for (const auto* ip : {"10.99.1.1", "192.168.127.1", "192.168.127.2"})
    EXPECT_EQ(status(lan, get({"Host: localhost:9990"}), {*net::address::parse(ip), 9990}), 0) << ip;
  const auto from_container = [this](const char* ip) {
    return lab_->docker().docker(
        {"exec", "web", "/echo-server", "ask", ip, "9990", to_bytes(get({"Host: localhost:9990"}))});
  };
  for (const auto* ip : {"10.99.0.1", "192.168.127.1", "192.168.127.2", "192.168.143.1", "192.168.143.2"})
    EXPECT_THAT(from_container(ip), testing::Not(testing::HasSubstr("HTTP"))) << ip;
}

TEST_F(page_readers, another_site_is_refused) {
  for (const place& from : {place(lab_->host(), unprivileged), place(lab_->rd(), unprivileged)}) {
    for (const auto* target : {"/", "/v1/status", "/v1/status/watch", "/metrics"}) {
      EXPECT_EQ(status(from, get({"Host: rebind.example:9990"}, target)), 403) << target;
      EXPECT_EQ(status(from, get({"Host: localhost:9990", "Origin: http://pages.example"}, target)), 403) << target;
      EXPECT_EQ(status(from, get({"Host: localhost:9990", "Origin: http://localhost:8080"}, target)), 403) << target;
      EXPECT_EQ(status(from, get(support::cross_site_headers("localhost:9990"), target)), 403) << target;
      EXPECT_EQ(status(from, {.method = "POST", .target = target, .headers = {"Host: localhost:9990"}, .body = "x"}),
                405)
          << target;
    }
    EXPECT_EQ(status(from, get({})), 400) << "no Host";
    EXPECT_EQ(status(from, get({"Host: localhost", "Host: localhost"})), 400);
  }
}

TEST_F(page_readers, silent_clients_and_open_pages_lock_no_reader_out) {
  std::vector<base::unique_fd> held;
  const auto hold = [&](const std::string& bytes) {
    auto fd = support::open_socket({lab_->rd(), unprivileged}, protocol::tcp, page_at, false);
    if (fd && !bytes.empty()) static_cast<void>(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    held.push_back(std::move(fd));
  };
  for (int i = 0; i < 300; ++i) hold("");
  for (int i = 0; i < 40; ++i) hold("GET /v1/status/watch HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(eventually(10s, [&] {
    return status({lab_->rd(), unprivileged}, get({"Host: localhost"}, "/v1/status/watch")) == 503;
  })) << "a client has its share of streams";
  EXPECT_EQ(status(lab_->rd(), get({"Host: localhost"})), 200);
  EXPECT_EQ(status({lab_->host(), unprivileged}, get({"Host: localhost"})), 200) << "and others have theirs";
  const auto watch = support::open_socket({lab_->host(), unprivileged}, protocol::tcp, page_at, false);
  const std::string request = "GET /v1/status/watch HTTP/1.1\r\nHost: localhost:9990\r\n\r\n";
  ASSERT_EQ(::send(watch.get(), request.data(), request.size(), MSG_NOSIGNAL), std::ssize(request));
  EXPECT_THAT(support::receive_once(watch.get()).value_or(""), testing::HasSubstr(" 200 "));
  expect_published(page_port);
}

TEST_F(page_readers, promtool_finds_no_fault_in_the_metrics) {
  if (const auto missing = support::fetch_failure("promtool"); !missing.empty()) GTEST_SKIP() << missing;
  lab_->docker().run("web", {"-p", "8080:80"});
  expect_published({"tcp 127.0.0.1:9990", "tcp 0.0.0.0:8080"});
  EXPECT_EQ(support::promtool_faults(support::http_get(lab_->rd(), page_at, "/metrics").value_or("")), "");
}

TEST_F(page_readers, metrics_keep_to_the_conventions) {
  lab_->docker().run("web", {"-p", "8080:80"});
  expect_published({"tcp 127.0.0.1:9990", "tcp 0.0.0.0:8080"});
  const auto text = support::http_get(lab_->rd(), page_at, "/metrics").value_or("");
  EXPECT_EQ(support::metrics_faults(text), "") << text;
  EXPECT_THAT(text, testing::HasSubstr("guestagent_peer_ports{peer=\"host-switch\",state=\"applied\"} 2\n"));
  EXPECT_THAT(text, testing::HasSubstr("guestagent_exposure_seconds_count{peer=\"host-switch\"} "));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("guestagent_exposure_seconds_count{peer=\"host-switch\"} 0\n")));
}

// The page is a port like any other, and a port that another program has is that program's.
TEST_F(page_readers, a_busy_port_is_shown_and_not_exposed) {
  lab_->agent().stop();
  const auto busy = support::open_socket(lab_->rd(), protocol::tcp, page_at, true);
  start_agent_and_wait({"-status-page=127.0.0.1:9990", "-listeners=false"});
  const auto shown = lab_->control({"status"}).text;
  EXPECT_THAT(shown, testing::HasSubstr("cannot listen on 127.0.0.1:9990: Address already in use"));
  expect_published({});
}

}  // namespace
}  // namespace integration
