// Port rules with a real engine, from the file to the host: where a port goes, what a change of the file does to open
// ports, and what a killed agent leaves behind.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

using support::host_forward;

class port_rules : public end_to_end {
 protected:
  // The file has to exist when the agent starts.
  std::vector<std::string> agent_flags() const override {
    const std::ofstream empty_at_first(file(), std::ios::app);
    return {"-rules=" + file(), "-port-labels"};
  }
  [[nodiscard]] std::string file() const { return lab_->directory() / "rules.yaml"; }

  // In one step, as a careful editor does.
  void write_rules(std::string_view rules) const {
    std::ofstream(file() + ".new") << "rules:\n" << rules;
    std::filesystem::rename(file() + ".new", file());
  }
  // host-switch holds these besides the others, within `soon`.
  void expect_forwards(std::set<host_forward> ours) const {
    ours.insert(others_.begin(), others_.end());
    std::optional<std::set<host_forward>> held;
    EXPECT_TRUE(eventually(soon, [&] { return (held = lab_->host_forwards()) == ours; }))
        << "it holds " << (held ? held->size() : 0);
  }
  void expect_refused_on_host(const char* at) const {
    EXPECT_TRUE(eventually(soon, [&] { return support::refused(lab_->host(), *net::parse_endpoint(at)); })) << at;
  }
  static host_forward moved(const std::string& local, int inside) {
    return {"tcp", local, fmt::format("192.168.127.2:{}", inside)};
  }
};

TEST_F(port_rules, a_port_has_another_number_and_address_on_the_host) {
  write_rules("- {port: 8080, host-port: 9090, host-address: 127.0.0.1}\n");
  lab_->docker().run("web", {"-p", "8080:80"});
  expect_forwards({moved("127.0.0.1:9090", 8080)});
  expect_answer(lab_->host(), "tcp 127.0.0.1:9090", "web");
  expect_answer(lab_->wsl(), "tcp 127.0.0.1:8080", "web");
  expect_refused_on_host("127.0.0.1:8080");
  EXPECT_TRUE(support::refused(lab_->host(), *net::parse_endpoint("192.168.127.1:9090"))) << "not to the network";
  lab_->docker().docker({"rm", "-f", "web"});
  expect_nothing_left();
}

TEST_F(port_rules, a_change_of_the_file_moves_open_ports) {
  lab_->docker().run("web", {"-p", "8080:80"});
  expect_published({"tcp 0.0.0.0:8080"});
  write_rules("- {port: 8080, host-port: +1}\n");
  expect_forwards({moved("0.0.0.0:8081", 8080)});
  expect_answer(lab_->host(), "tcp 127.0.0.1:8081", "web");
  write_rules("- {name: web, ignore: true, note: closed for today}\n");
  expect_forwards({});
  expect_refused("tcp 127.0.0.1:8080");
  write_rules("- {name: web, peers: [wsl-proxy]}\n");
  expect_answer(lab_->wsl(), "tcp 127.0.0.1:8080", "web");
  expect_forwards({});
  write_rules("");
  expect_published({"tcp 0.0.0.0:8080"});
}

TEST_F(port_rules, a_bad_change_leaves_everything_as_it_is) {
  write_rules("- {port: 8080, host-port: 9090}\n");
  lab_->docker().run("web", {"-p", "8080:80"});
  expect_forwards({moved("0.0.0.0:9090", 8080)});
  write_rules("- {port: 8080, host-prot: 9091}\n");
  EXPECT_TRUE(eventually(soon, [&] { return lab_->control({"status"}).text.contains("host-prot"); }))
      << "the status names it";
  const auto shown = lab_->control({"rules", "show"}).text;
  EXPECT_TRUE(shown.contains("host-prot") && shown.contains("host-port: 9090")) << shown;
  expect_forwards({moved("0.0.0.0:9090", 8080)});
}

TEST_F(port_rules, a_moved_port_of_a_killed_agent_is_closed_by_the_next_one) {
  write_rules("- {port: 8080-8089, host-port: 9080-9089}\n");
  lab_->docker().run("web", {"-p", "8080:80", "-p", "8081:80"});
  expect_forwards({moved("0.0.0.0:9080", 8080), moved("0.0.0.0:9081", 8081)});
  lab_->agent().kill9();
  lab_->docker().docker({"rm", "-f", "web"});
  lab_->docker().run("web", {"-p", "8081:80"});
  start_agent_and_wait(agent_flags());
  expect_forwards({moved("0.0.0.0:9081", 8081)});
  lab_->agent().kill9();
  write_rules("- {port: 8081, host-port: 9082}\n");
  start_agent_and_wait(agent_flags());
  expect_forwards({moved("0.0.0.0:9082", 8081)});
}

TEST_F(port_rules, labels_and_images_are_matched_and_labels_narrow) {
  write_rules("- {label: stage=test*, ignore: true}\n- {image: hidden-*, ignore: true}\n");
  lab_->docker().run("hidden", {"-p", "8080:80", "--label", "stage=testing"});
  lab_->docker().docker({"tag", "echo", "hidden-echo:1"});
  lab_->docker().docker(
      {"run", "-d", "--name", "by-image", "-p", "8082:80", "hidden-echo:1", "/echo-server", "tcp:80"});
  lab_->docker().run("web", {"-p", "8081:80", "--label", "guestagent.ports.8081/tcp={host-address: 127.0.0.1}"});
  expect_forwards({moved("127.0.0.1:8081", 8081)});
  expect_answer(lab_->host(), "tcp 127.0.0.1:8081", "web");
}

class containerd_rules : public port_rules {
 protected:
  void start_engine() override { lab_->containerd().start(); }
};

TEST_F(containerd_rules, a_name_is_without_its_namespace) {
  write_rules("- {name: hidden, ignore: true}\n");
  lab_->containerd().run({.name = "hidden", .ports = {{8080, 80}}, .name_space = "k8s.io"});
  lab_->containerd().run({.name = "web", .ports = {{8081, 80}}});
  expect_forwards({moved("0.0.0.0:8081", 8081)});
  expect_answer(lab_->host(), "tcp 127.0.0.1:8081", "web");
}

// 32 ports come and go while the file is written again and again; in each version port 8099 is ignored.
TEST_F(port_rules, in_a_burst_nothing_is_lost_and_nothing_ignored_is_open_for_a_moment) {
  const auto version = [](int n) {
    return fmt::format("- {{port: 8099, ignore: true}}\n- {{port: 8000-8031, host-port: +{}}}\n", 100 * n);
  };
  write_rules(version(1));
  int seen = 0;
  for (int round = 2; round < 5; ++round) {
    auto starts = lab_->docker().docker_started(support::docker_engine::run_arguments(
        "burst", {"-p", "8000-8031:1000-1031", "-p", "8099:80"}, {"tcp:1000-1031", "tcp:80"}));
    write_rules(version(round));
    while (starts.running()) {
      const auto held = lab_->host_forwards();
      ASSERT_TRUE(held);
      seen += std::ranges::any_of(*held, [](const auto& f) { return f.remote.ends_with(":8099"); });
    }
    std::set<host_forward> wanted;
    for (int i = 0; i < 32; ++i) wanted.insert(moved(fmt::format("0.0.0.0:{}", 8000 + 100 * round + i), 8000 + i));
    expect_forwards(wanted);
    lab_->docker().docker({"rm", "-f", "burst"});
  }
  EXPECT_EQ(seen, 0);
  expect_forwards({});
}

}  // namespace
}  // namespace integration
