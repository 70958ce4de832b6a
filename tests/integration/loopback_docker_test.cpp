// The loopback sink beside a real dockerd: its rules, its restarts, and what it does without iptables rules.
#include <gmock/gmock.h>
#include <unistd.h>

#include <optional>

#include "async/timeout.hpp"
#include "sinks/loopback/loopback_sink.hpp"
#include "tests/integration/loopback_lab.hpp"
#include "tests/support/docker_engine.hpp"
#include "tests/support/engine_programs.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/run_task.hpp"

namespace {

using namespace support;
using namespace std::chrono_literals;
using net::protocol;
using ports::outcome_kind;
using ports::verb;
using testing::IsEmpty;
using testing::SizeIs;

class loopback_docker : public testing::TestWithParam<iptables_variant> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (run_command({.argv = {dockerd_program(), "--version"}}).exit_code != 0) GTEST_SKIP() << "needs dockerd";
    vm_.emplace(GetParam());
    connect({&vm_->rd, "eth0", "192.168.127.2/24"}, {&vm_->host, "eth0", "192.168.127.1/24"});
    connect({&vm_->rd, "veth0", "192.168.143.1/24"}, {&vm_->wsl, "eth0", "192.168.143.2/24"});
    vm_->rd.ip({"route", "add", "default", "via", "192.168.127.1"});
    start_sink();
  }
  void start_sink() {
    loopback::loopback_options options;
    options.rules.state_directory = vm_->directory.path() / "state";
    sink_ = std::make_unique<loopback::loopback_sink>(context_.get_executor(), options);
  }
  std::vector<ports::held_forward> list() { return run_task(context_, sink_->list()).value().held; }
  ports::outcome apply(verb what, const char* address, std::uint16_t port, const std::string& owner,
                       protocol p = protocol::tcp, std::uint16_t container_port = 80) {
    const ports::port_key key{p, net::address::parse(address).value(), port};
    std::vector<ports::operation> batch{{what, {key, container_port, ports::source_id::docker, owner}}};
    return run_task(context_, sink_->apply(batch)).at(0);
  }
  bool notified() { return run_task(context_, async::within(3s, sink_->changed())).has_value(); }
  std::optional<std::string> from_host(std::uint16_t port, protocol p = protocol::tcp) {
    return ask(vm_->host, p, {net::address::v4(192, 168, 127, 2), port}, "x");
  }
  std::optional<std::string> from_wsl(std::uint16_t port, protocol p = protocol::tcp) {
    return ask(vm_->wsl, p, {net::address::v4(192, 168, 143, 1), port}, "x");
  }
  void close() {
    auto work = [](loopback::loopback_sink& s) -> async::task<int> {
      co_await s.close();
      co_return 0;
    };
    run_task(context_, work(*sink_));
  }

  struct machine {
    explicit machine(iptables_variant variant) : engine(rd, directory.path() / "docker", {.iptables = variant}) {}
    lab_directory directory;
    netns rd{"rd"}, host{"host"}, wsl{"wsl"};
    inside here{rd};
    docker_engine engine;
  };
  std::optional<machine> vm_;
  boost::asio::io_context context_;
  std::unique_ptr<loopback::loopback_sink> sink_;
  void TearDown() override { sink_.reset(); }
};

TEST_P(loopback_docker, every_kind_of_address) {
  vm_->engine.start();
  vm_->engine.run("web",
                  {"-p", "127.0.0.1:8080:80", "-p", "127.0.0.1:8080:53/udp", "-p", "[::1]:8081:80", "-p",
                   "192.168.127.2:8082:80", "-p", "10.99.0.1:8083:80"},
                  {"tcp:80", "udp:53"});
  const auto published = vm_->engine.rules();
  list();
  EXPECT_EQ(apply(verb::add, "127.0.0.1", 8080, "web").kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, "127.0.0.1", 8080, "web", protocol::udp, 53).kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, "::1", 8081, "web").kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, "192.168.127.2", 8082, "web").kind, outcome_kind::done);
  EXPECT_EQ(apply(verb::add, "10.99.0.1", 8083, "web").kind, outcome_kind::done);
  for (std::uint16_t port = 8080; port <= 8083; ++port) {
    EXPECT_EQ(from_host(port), "web\n") << port;
    EXPECT_EQ(from_wsl(port), "web\n") << port;
  }
  EXPECT_EQ(from_host(8080, protocol::udp), "web x");
  EXPECT_EQ(from_wsl(8080, protocol::udp), "web x");
  close();
  EXPECT_EQ(vm_->engine.rules(), published);
}

TEST_P(loopback_docker, a_container_of_two_networks) {
  vm_->engine.start();
  vm_->engine.docker({"network", "create", "--subnet", "10.98.0.0/24", "second"});
  list();
  vm_->engine.run("web", {"-p", "127.0.0.1:8080:80"});
  vm_->engine.docker({"network", "connect", "second", "web"});
  EXPECT_EQ(apply(verb::add, "127.0.0.1", 8080, "web").kind, outcome_kind::done);
  EXPECT_EQ(from_host(8080), "web\n");
  vm_->engine.docker({"network", "disconnect", "bridge", "web"});  // dockerd now publishes through the other network
  EXPECT_TRUE(eventually(3s, [&] {
    static_cast<void>(notified());
    return list().size() == 1 && from_host(8080) == "web\n" && from_wsl(8080) == "web\n";
  }));
}

TEST_P(loopback_docker, dockerd_killed_and_started_again) {
  vm_->engine.start();
  vm_->engine.run("web", {"-p", "127.0.0.1:8080:80", "--restart", "always"});
  list();
  EXPECT_EQ(apply(verb::add, "127.0.0.1", 8080, "web").kind, outcome_kind::done);
  vm_->engine.kill9();
  EXPECT_EQ(from_host(8080), "web\n");
  vm_->engine.start();
  EXPECT_TRUE(eventually(5s, [&] {
    static_cast<void>(notified());
    return list().size() == 1 && from_host(8080) == "web\n" && from_wsl(8080) == "web\n";
  }));
  EXPECT_EQ(apply(verb::remove, "127.0.0.1", 8080, "web").kind, outcome_kind::done);
  EXPECT_EQ(from_wsl(8080), std::nullopt);
  vm_->engine.docker({"rm", "-f", "web"});
  close();
  for (const auto& rule : vm_->engine.rules()) EXPECT_THAT(rule, testing::Not(testing::HasSubstr("guestagent")));
}

INSTANTIATE_TEST_SUITE_P(, loopback_docker, testing::Values(iptables_variant::nft, iptables_variant::legacy),
                         [](const auto& about) { return about.param == iptables_variant::nft ? "nft" : "legacy"; });

}  // namespace
