// Failing peers: busy ports, a host-switch that hangs, foreign forwards.
#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include "json/json.hpp"
#include "tests/integration/end_to_end.hpp"
#include "tests/support/hanging_directory.hpp"

namespace integration {
namespace {

using support::open_socket;

class peer : public end_to_end {
 protected:
  void run_web() { lab_->docker().run("web", {"-p", "8080:80"}); }
  static net::endpoint at(const char* text) { return *net::parse_endpoint(text); }
};

TEST_F(peer, a_busy_host_port_is_exposed_when_it_is_free) {
  auto busy = open_socket(lab_->host(), protocol::tcp, at("0.0.0.0:8080"), true);
  ASSERT_TRUE(busy);
  run_web();
  EXPECT_TRUE(eventually(soon, [this] { return ports_shown().contains("address already in use"); })) << ports_shown();
  expect_answer(lab_->wsl(), "tcp 127.0.0.1:8080", "web");
  busy.reset();
  expect_published({"tcp 0.0.0.0:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
}

TEST_F(peer, a_busy_port_in_wsl_is_exposed_when_it_is_free) {
  auto busy = open_socket(lab_->wsl(), protocol::tcp, at("0.0.0.0:8080"), true);
  ASSERT_TRUE(busy);
  run_web();
  expect_answer(lab_->host(), "tcp 127.0.0.1:8080", "web");
  busy.reset();
  expect_published({"tcp 0.0.0.0:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
}

TEST_F(peer, a_host_switch_that_accepts_and_never_answers_delays_no_other_peer) {
  lab_->host_switch().kill9();
  auto silent = open_socket(lab_->host(), protocol::tcp, at("192.168.127.1:80"), true);
  ASSERT_TRUE(silent);
  lab_->docker().run("web", {"-p", "8080:80", "-p", "127.0.0.1:8081:80"});
  expect_answer(lab_->wsl(), "tcp 127.0.0.1:8080", "web");
  expect_answer(lab_->wsl(), "tcp 127.0.0.1:8081", "web");
  silent.reset();
  start_host_switch();
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"});
  expect_answers("tcp 127.0.0.1:8081", "web");
}

TEST_F(peer, a_stopped_host_switch_goes_on_where_it_was) {
  lab_->host_switch().signal(SIGSTOP);
  run_web();
  expect_answer(lab_->wsl(), "tcp 127.0.0.1:8080", "web");
  lab_->host_switch().signal(SIGCONT);
  expect_published({"tcp 0.0.0.0:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
}

TEST_F(peer, the_agent_ends_in_time_though_host_switch_hangs) {
  run_web();
  expect_published({"tcp 0.0.0.0:8080"});
  lab_->host_switch().signal(SIGSTOP);
  EXPECT_EQ(lab_->agent().stop(5s), 0);
  lab_->host_switch().signal(SIGCONT);
}

TEST_F(peer, a_forward_that_was_there_already_is_used_and_stays) {
  const support::host_forward same{"tcp", "0.0.0.0:8080", "192.168.127.2:8080"};
  add_foreign_forward(same);
  run_web();
  expect_answers("tcp 127.0.0.1:8080", "web");
  expect_published({"tcp 0.0.0.0:8080"});
  lab_->docker().docker({"rm", "-f", "web"});
  expect_published({});
  start_agent_and_wait();
  expect_published({});
}

TEST_F(peer, a_foreign_forward_in_the_way_is_a_conflict_and_stays) {
  const support::host_forward other{"tcp", "0.0.0.0:8080", "192.168.127.2:9999"};
  add_foreign_forward(other);
  run_web();
  EXPECT_TRUE(eventually(soon, [this] { return ports_shown().contains("conflict"); })) << ports_shown();
  expect_answer(lab_->wsl(), "tcp 127.0.0.1:8080", "web");
  EXPECT_TRUE(lab_->host_forwards().value().contains(other));
  ASSERT_EQ(lab_->call_host_switch("/services/forwarder/unexpose", R"({"local":"0.0.0.0:8080","protocol":"tcp"})"),
            200);
  others_.erase(other);
  expect_published({"tcp 0.0.0.0:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
}

TEST_F(peer, what_is_where_is_shown) {
  lab_->docker().run("web", {"-p", "8080:80", "-p", "127.0.0.1:8081:80/udp"});
  expect_published({"tcp 0.0.0.0:8080", "udp 127.0.0.1:8081"});
  const auto table = ports_shown();
  for (const auto* word : {"8080", "8081", "tcp", "udp", "web", "docker", "applied"})
    EXPECT_TRUE(table.contains(word)) << table;
  const auto document = json::parse(lab_->control({"ports", "--json"}).text);
  ASSERT_TRUE(document) << document.error().message();
}

// iptables that never ends: the first programs in PATH hang.
TEST(hanging_iptables, does_not_keep_the_agent_from_ending) {
  if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
  const support::lab_directory directory;
  const support::netns place("hanging");
  const auto in = [&directory](const std::string& name) { return (directory.path() / name).string(); };
  for (const std::string name : {"iptables-nft-save", "iptables-nft-restore"}) {
    std::ofstream(in(name)) << "#!/bin/sh\necho $$ > " << in("pid.new") << " && mv " << in("pid.new") << ' '
                            << in("pid") << " && exec sleep 600\n";
    std::filesystem::permissions(in(name), std::filesystem::perms::owner_all);
  }
  support::child_process agent(
      {.argv = {support::program_directory() / "rancher-desktop-guestagent", "-adminInstall", "-docker",
                "-iptables=false", "-docker-socket=" + in("docker.sock"), "-status-socket=" + in("status"),
                "-state-dir=" + in("state"), "-host-switch-url=http://127.0.0.1:1"},
       .environment = {"PATH=" + directory.path().string() + ":" + std::getenv("PATH")},
       .log = in("log"),
       .net_namespace = place.path(),
       .rights = support::rights_of_unit("rancher-desktop-guestagent")});
  const auto log = [&] { return support::read_text(in("log")); };
  ASSERT_TRUE(eventually(10s, [&] { return std::filesystem::exists(in("pid")) && log().contains(": ready version="); }))
      << log();
  const auto hanging = std::stoi(support::read_text(in("pid")));
  EXPECT_EQ(::kill(hanging, 0), 0);
  const auto begin = std::chrono::steady_clock::now();
  agent.signal(SIGTERM);
  EXPECT_EQ(agent.wait(10s), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_THAT(log(), testing::HasSubstr("loopback: did not end in time"));
  EXPECT_TRUE(eventually(10s, [hanging] { return ::kill(hanging, 0) != 0; })) << "the program is left behind";
}

// A kubeconfig on a file system that never answers: the read is left behind, and the program ends without it.
TEST(hanging_kubeconfig, does_not_keep_the_agent_from_ending) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs FUSE";
  const support::temp_dir directory;
  const support::netns place("hanging");
  const auto in = [&directory](const std::string& name) { return (directory.path() / name).string(); };
  support::child_process agent(
      {.argv = {support::program_directory() / "rancher-desktop-guestagent", "-adminInstall", "-docker",
                "-docker-socket=" + in("docker.sock"), "-iptables=false", "-kubernetes",
                "-kubeconfig=" + (dead.path() / "config").string(), "-status-socket=" + in("status"),
                "-state-dir=" + in("state"), "-host-switch-url=http://127.0.0.1:1"},
       .log = in("log"),
       .net_namespace = place.path(),
       .rights = support::rights_of_unit("rancher-desktop-guestagent")});
  const auto log = [&] { return support::read_text(in("log")); };
  ASSERT_TRUE(eventually(10s, [&] { return log().contains("WARN kubernetes: not available"); })) << log();
  const auto begin = std::chrono::steady_clock::now();
  agent.signal(SIGTERM);
  EXPECT_EQ(agent.wait(10s), 0) << log();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

}  // namespace
}  // namespace integration
