// Services of an API server in the VM's namespace, beside the real Docker engine: what the host and the other WSL
// distributions get to see. What answers at a Service's port is a plain listener where kube-proxy's rules would be.
#include <fmt/format.h>

#include <fstream>

#include "tests/integration/end_to_end.hpp"
#include "tests/support/fake_kubernetes.hpp"

namespace integration {
namespace {

class kubernetes : public end_to_end {
 protected:
  void SetUp() override {
    end_to_end::SetUp();
    if (!lab_) return;
    api_ = std::make_unique<support::fake_kubernetes>(&authority_);
    api_->use(authority_, true);
    start_api();
    write_kubeconfig();
  }
  void TearDown() override {
    end_to_end::TearDown();
    if (api_) api_->stop();
  }
  void start_api() {
    lab_->rd().run([this] { api_->start(); });
  }
  void write_kubeconfig() {
    const auto client = authority_.make_client("agent");
    std::ofstream(config()) << api_->kubeconfig(&client);
  }
  [[nodiscard]] std::string config() const { return lab_->directory() / "k3s.yaml"; }
  // Without the listeners: those that stand in kube-proxy's place, and the API server itself, are not to be seen.
  void start_agent(const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags{"-kubernetes=true", "-listeners=false", "-kubeconfig=" + config(),
                                   "-k8sAPIPort=6443"};
    flags.insert(flags.end(), more.begin(), more.end());
    lab_->start_agent(flags);
  }
  // As expect_published, with the static port of the API in the other distributions.
  void expect_services(const published_set& ports) {
    in_wsl_only_ = {"tcp 127.0.0.1:6443"};
    expect_published(ports);
  }
  void serve(const std::string& name, const std::vector<std::string>& ports) {
    servers_.push_back(lab_->start_echo_server(name, ports));
  }

  support::test_authority authority_;
  std::unique_ptr<support::fake_kubernetes> api_;
  std::vector<support::child_process> servers_;
};

TEST_F(kubernetes, services_are_on_the_host_and_in_wsl) {
  serve("web", {"tcp:30080", "tcp:8090", "udp:8090"});
  api_->put({.name = "node", .type = "NodePort", .ports = {{80, 30'080}}});
  start_agent();
  expect_services({"tcp 0.0.0.0:30080"});
  expect_answers("tcp 127.0.0.1:30080", "web");
  api_->put({.name = "balanced", .type = "LoadBalancer", .ports = {{8090, 0, "TCP"}, {8090, 0, "UDP"}}});
  expect_services({"tcp 0.0.0.0:30080", "tcp 0.0.0.0:8090", "udp 0.0.0.0:8090"});
  expect_answers("tcp 127.0.0.1:8090", "web");
  expect_answers("udp 127.0.0.1:8090", "web");
  api_->put({.name = "balanced", .type = "ClusterIP", .ports = {{8090, 0, "TCP"}, {8090, 0, "UDP"}}});
  expect_services({"tcp 0.0.0.0:30080"});
  api_->remove("node");
  expect_services({});
}

TEST_F(kubernetes, services_are_bound_to_the_listener_address) {
  serve("web", {"tcp:30080"});
  api_->put({.name = "node", .ports = {{80, 30'080}}});
  start_agent({"-k8sServiceListenerAddr=127.0.0.1"});
  expect_services({"tcp 127.0.0.1:30080"});
  expect_answers("tcp 127.0.0.1:30080", "web");
  EXPECT_TRUE(support::refused(lab_->host(), *net::parse_endpoint("192.168.127.1:30080")));
}

TEST_F(kubernetes, the_api_itself_is_in_wsl_alone) {
  serve("api", {"tcp:6443"});
  start_agent();
  expect_services({});
  expect_answer(lab_->wsl(), "tcp 127.0.0.1:6443", "api");
  EXPECT_TRUE(support::refused(lab_->host(), *net::parse_endpoint("127.0.0.1:6443")));
  ASSERT_EQ(lab_->agent().stop(), 0);
  in_wsl_only_.clear();
  expect_published({});
}

TEST_F(kubernetes, other_sources_do_not_notice_that_the_api_is_away) {
  api_->put({.name = "node", .ports = {{80, 30'080}}});
  start_agent();
  expect_services({"tcp 0.0.0.0:30080"});
  api_->stop();
  lab_->docker().run("whale", {"-p", "8080:80"});
  expect_services({"tcp 0.0.0.0:30080", "tcp 0.0.0.0:8080"});
  lab_->docker().docker({"rm", "-f", "whale"});
  expect_services({"tcp 0.0.0.0:30080"});
  api_->remove("node");
  start_api();
  expect_services({});
}

TEST_F(kubernetes, the_agent_is_killed_and_services_change_meanwhile) {
  api_->put({.name = "old", .ports = {{80, 30'080}}});
  start_agent();
  expect_services({"tcp 0.0.0.0:30080"});
  lab_->agent().kill9();
  api_->remove("old");
  api_->put({.name = "new", .ports = {{80, 30'081}}});
  start_agent();
  expect_services({"tcp 0.0.0.0:30081"});
}

}  // namespace
}  // namespace integration
