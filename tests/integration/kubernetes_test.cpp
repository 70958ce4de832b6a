// Services of an API server in the VM's namespace, beside the real Docker engine: the ports on the host and in the
// other WSL distributions. A plain listener answers at a Service's port, in place of kube-proxy's rules. All of it with
// the fake, and with a real kube-apiserver if KUBE_APISERVER and ETCD name one.
#include <fmt/format.h>
#include <signal.h>

#include <fstream>

#include "tests/integration/end_to_end.hpp"
#include "tests/support/real_kubernetes.hpp"

namespace integration {
namespace {

enum class api_server : std::uint8_t { fake, real };

// How late a source may notice that the API is back: it asks at least every two seconds.
constexpr std::chrono::milliseconds after_an_outage = soon + 3s;

class kubernetes : public end_to_end, public testing::WithParamInterface<api_server> {
 protected:
  using service = support::fake_kubernetes::service;

  void SetUp() override {
    most_rules_for_a_wildcard_ = 1;
    if (const auto missing = support::real_kubernetes::missing(); GetParam() == api_server::real && !missing.empty())
      GTEST_SKIP() << missing;
    end_to_end::SetUp();
    if (!lab_) return;
    if (GetParam() == api_server::real) {
      real_ = std::make_unique<support::real_kubernetes>(lab_->rd(), lab_->directory() / "kubernetes", authority_);
    } else {
      fake_ = std::make_unique<support::fake_kubernetes>(&authority_);
      fake_->use(authority_, true);
    }
    start_api();
    const auto client = authority_.make_client("agent");
    std::ofstream(config()) << (real_ ? real_->kubeconfig() : fake_->kubeconfig(&client));
  }
  void TearDown() override {
    end_to_end::TearDown();
    if (real_ && HasFailure()) std::fputs(real_->log().c_str(), stderr);
    if (fake_) fake_->stop();
  }
  void start_api() {
    if (real_)
      real_->start();
    else
      lab_->rd().run([this] { fake_->start(); });
  }
  void stop_api() { real_ ? real_->stop() : fake_->stop(); }
  void put(const service& s) { real_ ? real_->put(s) : fake_->put(s); }
  void remove(const std::string& name) { real_ ? real_->remove(name) : fake_->remove(name); }
  [[nodiscard]] std::string config() const { return lab_->directory() / "k3s.yaml"; }
  // Without the listeners: those in kube-proxy's place, and the API server itself, must not be published.
  void start_agent(const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags{"-kubernetes=true", "-listeners=false", "-kubeconfig=" + config(),
                                   "-k8sAPIPort=6443"};
    flags.insert(flags.end(), more.begin(), more.end());
    lab_->start_agent(flags);
  }
  // As expect_published, with the static port of the API in the other distributions.
  void expect_services(const published_set& ports, std::chrono::milliseconds limit = soon) {
    in_wsl_only_ = {"tcp 127.0.0.1:6443"};
    expect_published(ports, limit);
  }
  // Starts the API again. A real one accepts no changes while it is down, so the agent is stopped meanwhile instead.
  void remove_while_away(const std::string& name) {
    if (real_) lab_->agent().signal(SIGSTOP);
    if (fake_) fake_->remove(name);
    start_api();
    if (real_) real_->remove(name);
    lab_->agent().signal(SIGCONT);
  }
  void serve(const std::string& name, const std::vector<std::string>& ports) {
    servers_.push_back(lab_->start_echo_server(name, ports));
  }

  support::test_authority authority_;
  std::unique_ptr<support::fake_kubernetes> fake_;
  std::unique_ptr<support::real_kubernetes> real_;
  std::vector<support::child_process> servers_;
};
INSTANTIATE_TEST_SUITE_P(api_server, kubernetes, testing::Values(api_server::fake, api_server::real),
                         [](const auto& one) { return one.param == api_server::fake ? "fake" : "real"; });

TEST_P(kubernetes, services_are_on_the_host_and_in_wsl) {
  serve("web", {"tcp:30080", "tcp:8090", "udp:8090"});
  put({.name = "node", .type = "NodePort", .ports = {{80, 30'080}}});
  start_agent();
  expect_services({"tcp 0.0.0.0:30080"});
  expect_answers("tcp 127.0.0.1:30080", "web");
  put({.name = "balanced", .type = "LoadBalancer", .ports = {{8090, 0, "TCP"}, {8090, 0, "UDP"}}});
  expect_services({"tcp 0.0.0.0:30080", "tcp 0.0.0.0:8090", "udp 0.0.0.0:8090"});
  expect_answers("tcp 127.0.0.1:8090", "web");
  expect_answers("udp 127.0.0.1:8090", "web");
  put({.name = "balanced", .type = "ClusterIP", .ports = {{8090, 0, "TCP"}, {8090, 0, "UDP"}}});
  expect_services({"tcp 0.0.0.0:30080"});
  remove("node");
  expect_services({});
}

TEST_P(kubernetes, only_the_ports_that_change_move) {
  start_agent();
  put({.name = "dns", .type = "LoadBalancer", .ports = {{8053, 0, "TCP"}, {8053, 0, "UDP"}, {8054, 0, "TCP"}}});
  expect_services({"tcp 0.0.0.0:8053", "udp 0.0.0.0:8053", "tcp 0.0.0.0:8054"});
  put({.name = "dns", .type = "LoadBalancer", .ports = {{8053, 0, "TCP"}, {8053, 0, "UDP"}, {8055, 0, "UDP"}}});
  expect_services({"tcp 0.0.0.0:8053", "udp 0.0.0.0:8053", "udp 0.0.0.0:8055"});
  put({.name = "dns", .type = "NodePort", .ports = {{8053, 30'053, "UDP"}}});
  expect_services({"udp 0.0.0.0:30053"});
}

TEST_P(kubernetes, services_are_bound_to_the_listener_address) {
  serve("web", {"tcp:30080"});
  put({.name = "node", .ports = {{80, 30'080}}});
  start_agent({"-k8sServiceListenerAddr=127.0.0.1"});
  expect_services({"tcp 127.0.0.1:30080"});
  expect_answers("tcp 127.0.0.1:30080", "web");
  EXPECT_TRUE(support::refused(lab_->host(), *net::parse_endpoint("192.168.127.1:30080")));
}

TEST_P(kubernetes, the_api_itself_is_in_wsl_alone) {
  serve("api", {"tcp:6443"});
  start_agent();
  expect_services({});
  expect_answer(lab_->wsl(), "tcp 127.0.0.1:6443", "api");
  EXPECT_TRUE(support::refused(lab_->host(), *net::parse_endpoint("127.0.0.1:6443")));
  ASSERT_EQ(lab_->agent().stop(), 0);
  in_wsl_only_.clear();
  expect_published({});
}

TEST_P(kubernetes, other_sources_do_not_notice_that_the_api_is_away) {
  put({.name = "node", .ports = {{80, 30'080}}});
  start_agent();
  expect_services({"tcp 0.0.0.0:30080"});
  stop_api();
  lab_->docker().run("whale", {"-p", "8080:80"});
  expect_services({"tcp 0.0.0.0:30080", "tcp 0.0.0.0:8080"});
  lab_->docker().docker({"rm", "-f", "whale"});
  expect_services({"tcp 0.0.0.0:30080"});
  remove_while_away("node");
  expect_services({}, after_an_outage);
}

TEST_P(kubernetes, the_agent_is_killed_and_services_change_meanwhile) {
  put({.name = "old", .ports = {{80, 30'080}}});
  start_agent();
  expect_services({"tcp 0.0.0.0:30080"});
  lab_->agent().kill9();
  remove("old");
  put({.name = "new", .ports = {{80, 30'081}}});
  start_agent();
  expect_services({"tcp 0.0.0.0:30081"});
}

}  // namespace
}  // namespace integration
