// A real dockerd and the agent in the engine's namespace, whose network is host-switch's: what containers see of a
// client at their published ports, and that none of them can use host-switch's API.
//
//   lan 10.99.1.2 ── 10.99.1.1  host: host-switch ══ link ══ eth0 192.168.127.2  vm: agent, dockerd ── bridge ── web
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <optional>

#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/docker_engine.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/raw_request.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;
using testing::HasSubstr;
using testing::Not;

constexpr auto all = "/services/forwarder/all", expose_path = "/services/forwarder/expose",
               unexpose_path = "/services/forwarder/unexpose";
constexpr auto gateway_name = "Host: gateway.rancher-desktop.internal";
constexpr net::address lan_side = net::address::v4(10, 99, 1, 1);  // the host's address in its LAN

support::raw_request get_all(std::vector<std::string> headers = {gateway_name}) {
  return {.target = all, .headers = std::move(headers)};
}

support::raw_request withdraw(std::string_view local) {
  return {.method = "POST",
          .target = unexpose_path,
          .headers = {gateway_name},
          .body = fmt::format(R"({{"local":"{}","protocol":"tcp"}})", local)};
}

support::raw_request ask_for(std::string_view remote) {
  return {.method = "POST",
          .target = expose_path,
          .headers = {gateway_name},
          .body = fmt::format(R"({{"local":"127.0.0.1:9999","remote":"{}","protocol":"tcp"}})", remote)};
}

class engine_network : public virtual_network_lab {
 protected:
  void SetUp() override {
    if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
    virtual_network_lab::SetUp();
    if (IsSkipped()) return;
    engine_.emplace(*vm_, directory_->path() / "docker");
  }
  void TearDown() override {
    if (agent_.running()) EXPECT_EQ(agent_.stop(), 0);
    if (HasFailure() && directory_) std::fputs(support::read_text(at("agent.log")).c_str(), stderr);
    engine_.reset();
    virtual_network_lab::TearDown();
  }

  void start_all(std::vector<std::string> flags = {}) {
    start_and_wait(std::move(flags));
    engine_->start();
    start_agent();
  }
  void start_agent() {
    agent_ = support::child_process(
        {.argv = {support::program_directory() / "rancher-desktop-guestagent", "-adminInstall=true",
                  "-kubernetes=false", "-docker=true", "-containerd=false", "-iptables=false", "-debug=true",
                  "-wsl-proxy-socket=" + at("wsl-proxy.sock"), "-docker-socket=" + engine_->socket().string(),
                  "-status-socket=" + at("status.sock"), "-state-dir=" + at("state"),
                  "-host-switch-url=http://" + net::to_string(gateway_api)},
         .log = at("agent.log"),
         .net_namespace = vm_->path()});
  }
  // The answer of the API to a process of the container, or its error.
  [[nodiscard]] std::string from_container(const std::string& name, const support::raw_request& request) const {
    return engine_->docker({"exec", name, "/echo-server", "ask", gateway_api.ip.to_string(),
                            std::to_string(gateway_api.port), support::to_bytes(request)});
  }
  [[nodiscard]] std::string held() const { return support::http_get(*vm_, gateway_api, all).value_or("no answer"); }
  [[nodiscard]] bool is_exposed(std::string_view local) const {
    return held().contains(fmt::format("\"local\":\"{}\"", local));
  }

  std::optional<support::docker_engine> engine_;
  support::child_process agent_;
};

TEST_F(engine_network, a_container_cannot_use_the_api_and_the_agent_s_namespace_can) {
  start_all();
  engine_->run("web", {"-p", "127.0.0.1:8080:80"});
  ASSERT_TRUE(eventually(10s, [&] { return is_exposed("127.0.0.1:8080"); })) << held();
  for (const auto& request : {get_all(), withdraw("127.0.0.1:8080"), ask_for("192.168.127.2:80")})
    EXPECT_EQ(from_container("web", request), "Connection refused") << request.target;
  EXPECT_TRUE(is_exposed("127.0.0.1:8080"));
  EXPECT_EQ(support::http_get(*host_, {net::address::loopback_v4(), 8080}, "/"), "web\n");
  EXPECT_EQ(expose("127.0.0.1:9999", "192.168.127.2:80"), 200);  // by a process of the namespace
}

// Without the agent nothing in the namespace keeps containers away: they are masqueraded as the VM. Each of
// host-switch's own checks still holds alone.
TEST_F(engine_network, without_the_agent_s_rule_the_callers_address_host_and_origin_are_checked) {
  start_and_wait();
  engine_->start();
  engine_->run("web", {});
  ASSERT_THAT(from_container("web", get_all()), HasSubstr(" 200 ")) << "the test's requests reach the API";
  EXPECT_THAT(from_container("web", ask_for("192.168.127.3:80")), HasSubstr("not the caller's address"));
  EXPECT_THAT(from_container("web", ask_for("192.168.127.254:80")), Not(HasSubstr(" 200 ")));
  EXPECT_THAT(from_container("web", get_all({"Host: pages.example"})), HasSubstr(" 403 "));
  EXPECT_THAT(from_container("web", get_all({gateway_name, "Origin: http://pages.example"})), HasSubstr(" 403 "));
  EXPECT_THAT(from_container("web", get_all({gateway_name, "Sec-Fetch-Site: cross-site"})), HasSubstr(" 403 "));
  EXPECT_EQ(held(), "[]\n");
}

TEST_F(engine_network, a_container_that_is_not_masqueraded_gets_no_answer_of_the_api) {
  start_and_wait();
  engine_->start();
  engine_->docker({"network", "create", "-o", "com.docker.network.bridge.enable_ip_masquerade=false", "plain"});
  engine_->run("web", {"--network", "plain"});
  EXPECT_THAT(from_container("web", get_all()), Not(HasSubstr("HTTP")));
}

// The way leads from the container to the VM, through host-switch to the port on the host, and back through both.
TEST_F(engine_network, a_container_reaches_its_own_published_port_by_the_host) {
  start_all();
  engine_->run("web", {"-p", "8080:80"});
  ASSERT_TRUE(eventually(10s, [&] { return is_exposed("0.0.0.0:8080"); })) << held();
  for (const auto& host : {host_alias, lan_side})
    EXPECT_EQ(engine_->docker({"exec", "web", "/echo-server", "ask", host.to_string(), "8080", "hello\n"}), "web")
        << host.to_string();
}

class client_addresses : public engine_network {
 protected:
  // Two published ports that say who asks.
  void run_web(std::vector<std::string> flags) {
    start_all(std::move(flags));
    engine_->run("web", {"-e", "ECHO_CLIENT=1", "-p", "8080:80", "-p", "5353:53/udp"}, {"tcp:80", "udp:53"});
    ASSERT_TRUE(eventually(10s, [&] { return is_exposed("0.0.0.0:8080") && is_exposed("0.0.0.0:5353"); })) << held();
    // A port is open before the container's server listens.
    const auto here = net::address::loopback_v4();
    const auto answers = [&] { return by_tcp(*host_, here) != none && by_udp(*host_, here) != none; };
    ASSERT_TRUE(eventually(10s, answers)) << "the servers do not answer";
  }
  static constexpr std::string_view none = "no answer";
  [[nodiscard]] static std::string by_tcp(const support::netns& from, const net::address& to) {
    return support::http_get(from, {to, 8080}, "/", 3s).value_or(std::string(none));
  }
  [[nodiscard]] static std::string by_udp(const support::netns& from, const net::address& to) {
    return support::ask(from, protocol::udp, {to, 5353}, "hello", 3s).value_or(std::string(none));
  }
};

TEST_F(client_addresses, with_source_address_client_a_container_sees_the_client_of_the_lan) {
  run_web({"-source-address=client"});
  EXPECT_EQ(by_tcp(*lan_, lan_side), "web 10.99.1.2\n");
  EXPECT_EQ(by_udp(*lan_, lan_side), "web 10.99.1.2 hello");
}

TEST_F(client_addresses, with_source_address_client_a_loopback_client_is_the_gateway) {
  run_web({"-source-address=client"});
  for (const auto& to : {net::address::loopback_v4(), net::address::loopback_v6()}) {
    EXPECT_EQ(by_tcp(*host_, to), "web 192.168.127.1\n") << to.to_string();
    EXPECT_EQ(by_udp(*host_, to), "web 192.168.127.1 hello") << to.to_string();
  }
}

TEST_F(client_addresses, by_default_a_container_sees_the_gateway) {
  run_web({});
  EXPECT_EQ(by_tcp(*lan_, lan_side), "web 192.168.127.1\n");
  EXPECT_EQ(by_udp(*lan_, lan_side), "web 192.168.127.1 hello");
  EXPECT_EQ(by_tcp(*host_, net::address::loopback_v4()), "web 192.168.127.1\n");
}

}  // namespace
}  // namespace integration
