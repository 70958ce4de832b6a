// Privileged-service mode from end to end: docker, agent, vtunnel peer, vtunnel host, privileged service, client. The
// VM's eth0 leads to the host; UNIX sockets stand for the virtual ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <regex>

#include "tests/support/eventually.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/probe.hpp"
#include "tests/support/raw_request.hpp"
#include "tests/support/stop_programs.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;
using support::listening_socket;

// After a crash, a restarted part is noticed within a second; the machine may be busy.
constexpr std::chrono::milliseconds patience = 20s;

listening_socket port(std::string_view text) {
  return {net::parse_protocol(text.substr(0, 3)).value(), net::parse_endpoint(text.substr(4)).value()};
}

class privileged_mode : public testing::Test {
 protected:
  explicit privileged_mode(support::docker_options engine = {}) : options_(std::move(engine)) {}

  void SetUp() override {
    if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
    lab_ = std::make_unique<support::lab>(options_);
    lab_->docker().start();
    start_agent();
    lab_->start_vtunnel_peer();
    lab_->start_vtunnel_host();
    lab_->start_privileged_service();
    ASSERT_TRUE(eventually(patience, [this] { return lab_->control({"status"}).exit_code == 0; }));
  }
  void TearDown() override {
    if (!lab_) return;
    const auto ports = HasFailure() ? lab_->control({"ports"}).text : "";
    EXPECT_EQ(support::stop_programs(*lab_), "");
    if (HasFailure()) std::fputs((ports + lab_->logs()).c_str(), stderr);
  }
  // With -adminInstall beside it, which changes nothing.
  void start_agent(const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags{"-adminInstall=true", "-privilegedService",
                                   "-vtunnelAddr=" + net::to_string(support::vtunnel_peer_at)};
    flags.insert(flags.end(), more.begin(), more.end());
    lab_->start_agent(flags);
  }
  // Within `limit` the host listens on these and nothing else.
  void expect_published(const std::set<listening_socket>& wanted, std::chrono::milliseconds limit = patience) {
    const bool right = eventually(limit, [&] { return support::listening_sockets(lab_->host()) == wanted; });
    EXPECT_TRUE(right) << support::listening_sockets(lab_->host()).size() << " listeners instead of " << wanted.size();
    EXPECT_TRUE(lab_->wsl_listeners().empty());
  }
  // Over TCP the probe ends its side with the request, and the answer comes afterwards.
  void expect_answer(std::string_view at, const std::string& container) {
    const auto [protocol, to] = port(at);
    const auto wanted = protocol == protocol::udp ? container + " hello" : container + "\n";
    const auto right = [&] { return support::ask(lab_->host(), protocol, to, "hello", 500ms) == wanted; };
    EXPECT_TRUE(eventually(patience, right)) << at;
  }

  support::docker_options options_;
  std::unique_ptr<support::lab> lab_;
};

TEST_F(privileged_mode, publishes_in_every_way) {
  const auto rules_before = support::iptables_rules(lab_->rd());
  lab_->docker().run("web",
                     {"-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "[::1]:8082:80", "-p", "5353:53/udp", "-p",
                      "127.0.0.1:5354:53/udp", "-p", "90:80"},
                     {"tcp:80", "udp:53"});
  expect_published({port("tcp 0.0.0.0:8080"), port("tcp 127.0.0.1:8081"), port("tcp 127.0.0.1:8082"),
                    port("udp 0.0.0.0:5353"), port("udp 127.0.0.1:5354"), port("tcp 0.0.0.0:90")});
  for (const auto* at : {"tcp 127.0.0.1:8080", "tcp 192.168.127.1:8080", "tcp 127.0.0.1:8081", "tcp 127.0.0.1:8082",
                         "udp 127.0.0.1:5353", "udp 127.0.0.1:5354", "tcp 127.0.0.1:90"})
    expect_answer(at, "web");
  for (const auto& rule : support::iptables_rules(lab_->rd()))
    EXPECT_FALSE(rule.ends_with("--to-destination 127.0.0.1")) << "the interface belongs to the whole VM: " << rule;
  EXPECT_TRUE(lab_->control({"status"}).text.contains("privileged-service")) << lab_->control({"status"}).text;
  EXPECT_TRUE(lab_->logs().contains("-privilegedService wins"));
  lab_->docker().docker({"rm", "-f", "web"});
  expect_published({});
  EXPECT_TRUE(eventually(patience, [&] {
    const auto now = support::iptables_rules(lab_->rd());
    return std::ranges::none_of(now, [](const auto& rule) { return rule.contains("guestagent:"); });
  }));
}

TEST_F(privileged_mode, every_part_may_die_while_containers_come_and_go) {
  struct part {
    const char* name;
    support::child_process& process;
    std::function<void()> start;
  };
  const std::vector<part> parts{
      {"agent", lab_->agent(), [this] { start_agent(); }},
      {"vtunnel peer", lab_->vtunnel_peer(), [this] { lab_->start_vtunnel_peer(); }},
      {"vtunnel host", lab_->vtunnel_host(), [this] { lab_->start_vtunnel_host(); }},
      {"privileged service", lab_->privileged_service(), [this] { lab_->start_privileged_service(); }},
  };
  lab_->docker().run("stays", {"-p", "8080:80"});
  lab_->docker().run("web0", {"-p", "8100:80"});
  expect_published({port("tcp 0.0.0.0:8080"), port("tcp 0.0.0.0:8100")});
  int number = 0;
  for (const auto& p : parts) {
    SCOPED_TRACE(p.name);
    p.process.kill9();
    lab_->docker().docker({"rm", "-f", fmt::format("web{}", number)});
    ++number;
    lab_->docker().run(fmt::format("web{}", number), {"-p", fmt::format("{}:80", 8100 + number)});
    p.start();
    expect_published({port("tcp 0.0.0.0:8080"), port(fmt::format("tcp 0.0.0.0:{}", 8100 + number))});
    expect_answer("tcp 127.0.0.1:8080", "stays");
    expect_answer(fmt::format("tcp 127.0.0.1:{}", 8100 + number), fmt::format("web{}", number));
  }
  EXPECT_EQ(lab_->agent().stop(), 0);
  expect_published({});
  EXPECT_EQ(lab_->privileged_service().stop(), 0);
  EXPECT_EQ(lab_->vtunnel_host().stop(), 0);
  EXPECT_EQ(lab_->vtunnel_peer().stop(), 0);
}

// The page is a port like any other: the VM's address leads the service to it.
TEST_F(privileged_mode, people_on_the_host_and_in_the_vm_read_the_status_page) {
  const net::endpoint page{net::address::loopback_v4(), 9990};
  const auto status = [&](const support::netns& from, const char* target, const char* host = "localhost:9990") {
    const support::raw_request wanted{.target = target, .headers = {std::string("Host: ") + host}};
    return support::http_status({from, support::unprivileged}, page, to_bytes(wanted)).value_or(0);
  };
  start_agent({"-status-page=127.0.0.1:9990"});
  expect_published({port("tcp 127.0.0.1:9990")});
  EXPECT_TRUE(eventually(patience, [&] { return status(lab_->host(), "/") == 200; }));
  for (const auto* from : {&lab_->host(), &lab_->rd()})
    for (const auto* target : {"/", "/v1/status", "/metrics"}) EXPECT_EQ(status(*from, target), 200) << target;
  EXPECT_EQ(status(lab_->host(), "/v1/status", "rebind.example:9990"), 403);
  start_agent();
  expect_published({});
}

TEST_F(privileged_mode, another_address_of_the_vm) {
  lab_->docker().run("web", {"-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "[::1]:8082:80"});
  const auto expect_answers = [this] {
    for (const auto* at : {"tcp 127.0.0.1:8080", "tcp 127.0.0.1:8081", "tcp 127.0.0.1:8082"}) expect_answer(at, "web");
  };
  expect_answers();
  lab_->rd().ip({"address", "add", "192.168.127.77/24", "dev", "eth0"});
  lab_->rd().ip({"address", "del", "192.168.127.2/24", "dev", "eth0"});
  if (!support::ask(lab_->host(), protocol::tcp, {net::address::v4(192, 168, 127, 77), 8080}, "x"))  // promoted or not
    lab_->rd().ip({"address", "replace", "192.168.127.77/24", "dev", "eth0"});
  expect_answers();
  expect_published({port("tcp 0.0.0.0:8080"), port("tcp 127.0.0.1:8081"), port("tcp 127.0.0.1:8082")});
  lab_->docker().docker({"rm", "-f", "web"});
  expect_published({});
}

// Without rules, because the engine needs a minute for so many. It still needs some seconds, with one proxy process for
// each port; after that, a few messages suffice.
class privileged_range : public privileged_mode {
 protected:
  privileged_range() : privileged_mode({.writes_rules = false}) {}
};

TEST_F(privileged_range, of_a_thousand_ports) {
  constexpr std::chrono::milliseconds soon = 2s;
  lab_->docker().run("wide", {"-p", "20000-20999:1000-1999"}, {"tcp:1000-1999"});
  std::set<listening_socket> all;
  for (int number = 20'000; number <= 20'999; ++number) all.insert(port(fmt::format("tcp 0.0.0.0:{}", number)));
  expect_published(all, soon);
  for (const auto* at : {"tcp 127.0.0.1:20000", "tcp 127.0.0.1:20500", "tcp 127.0.0.1:20999"})
    expect_answer(at, "wide");
  lab_->start_privileged_service();  // killed and started again
  expect_published(all);
  lab_->docker().docker({"kill", "wide"});
  expect_published({}, soon);
  EXPECT_EQ(lab_->vtunnel_peer().stop(), 0);
  std::smatch accepted;
  const auto logs = lab_->logs();
  ASSERT_TRUE(std::regex_search(logs, accepted, std::regex("vtunnel: stopping .* accepted=(\\d+)"))) << logs;
  EXPECT_LT(std::stoi(accepted[1]), 100) << "connections, each with a message at most";
}

}  // namespace
}  // namespace integration
