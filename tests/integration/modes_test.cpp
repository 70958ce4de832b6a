// Other modes: without administrator rights on the host, and beside an engine that writes no rules.
#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

class non_admin : public end_to_end {
 protected:
  void SetUp() override {
    end_to_end::SetUp();
    if (lab_) lab_->start_agent({"-adminInstall=false"});
  }
};

TEST_F(non_admin, binds_everything_to_loopback) {
  lab_->docker().run("web", {"-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "5353:53/udp"}, {"tcp:80", "udp:53"});
  expect_published({"tcp 127.0.0.1:8080", "tcp 127.0.0.1:8081", "udp 127.0.0.1:5353"});
  for (const auto* port : {"tcp 127.0.0.1:8080", "tcp 127.0.0.1:8081", "udp 127.0.0.1:5353"})
    expect_answers(port, "web");
  EXPECT_TRUE(support::refused(lab_->host(), *net::parse_endpoint("192.168.127.1:8080")));
  lab_->docker().docker({"rm", "-f", "web"});
  expect_nothing_left();
}

TEST_F(non_admin, restricts_privileged_ports) {
  lab_->docker().run("web", {"-p", "81:80", "-p", "8080:80"});
  expect_published({"tcp 127.0.0.1:8080"});
  EXPECT_TRUE(ports_shown().contains("restricted")) << ports_shown();
}

class without_rules : public end_to_end {
 protected:
  without_rules() : end_to_end({.writes_rules = false}) {}
};

TEST_F(without_rules, ports_are_relayed) {
  lab_->docker().run("web",
                     {"-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "[::1]:8082:80", "-p", "127.0.0.1:5353:53/udp"},
                     {"tcp:80", "udp:53"});
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "tcp 127.0.0.1:8082", "udp 127.0.0.1:5353"});
  for (const auto* port : {"tcp 127.0.0.1:8080", "tcp 127.0.0.1:8081", "tcp 127.0.0.1:8082", "udp 127.0.0.1:5353"})
    expect_answers(port, "web");
  lab_->start_agent();
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "tcp 127.0.0.1:8082", "udp 127.0.0.1:5353"});
  expect_answers("tcp 127.0.0.1:8081", "web");
  lab_->docker().docker({"rm", "-f", "web"});
  expect_nothing_left();
  EXPECT_TRUE(eventually(soon, [this] { return support::listening_sockets(lab_->rd()).empty(); }))
      << "a relay is left in the VM";
}

}  // namespace
}  // namespace integration
