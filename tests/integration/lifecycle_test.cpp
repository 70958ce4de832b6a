// The ways in which a container ends and restarts.
#include <fmt/format.h>

#include <algorithm>

#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

class lifecycle : public with_each_iptables {
 protected:
  const published_set both{"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"};
  void run_web(std::vector<std::string> more = {}) {
    more.insert(more.end(), {"-p", "8080:80", "-p", "127.0.0.1:8081:80"});
    lab_->docker().run("web", more);
    expect_web();
  }
  void expect_web() {
    expect_published(both);
    expect_answers("tcp 127.0.0.1:8080", "web");
    expect_answers("tcp 127.0.0.1:8081", "web");
  }
};
INSTANTIATE_WITH_EACH_IPTABLES(lifecycle);

TEST_P(lifecycle, stop_and_start) {
  run_web();
  lab_->docker().docker({"stop", "web"});
  expect_nothing_left();
  expect_refused("tcp 127.0.0.1:8080");
  lab_->docker().docker({"start", "web"});
  expect_web();
}

TEST_P(lifecycle, restart) {
  run_web();
  for (int i = 0; i < 3; ++i) {
    lab_->docker().docker({"restart", "web"});
    expect_web();
  }
}

TEST_P(lifecycle, kill) {
  run_web();
  lab_->docker().docker({"kill", "web"});
  expect_nothing_left();
}

TEST_P(lifecycle, remove_by_force) {
  run_web();
  lab_->docker().docker({"rm", "-f", "web"});
  expect_nothing_left();
}

TEST_P(lifecycle, removed_by_itself) {
  run_web({"--rm"});
  lab_->docker().docker({"kill", "web"});
  expect_nothing_left();
}

TEST_P(lifecycle, restarted_by_the_engine) {
  run_web({"--restart=always"});
  const auto pid = lab_->docker().docker({"inspect", "-f", "{{.State.StartedAt}}", "web"});
  const auto ending = lab_->docker().docker_started({"exec", "web", "/echo-server", "end"});  // ends with the container
  ASSERT_TRUE(
      eventually(5s, [&] { return lab_->docker().docker({"inspect", "-f", "{{.State.StartedAt}}", "web"}) != pid; }));
  expect_web();
}

TEST_P(lifecycle, replaced_without_a_pause) {
  run_web();
  for (int i = 0; i < 5; ++i) {
    lab_->docker().docker({"rm", "-f", "web"});
    lab_->docker().run("web", {"-p", "8080:80", "-p", "127.0.0.1:8081:80"});
  }
  expect_web();
}

TEST_P(lifecycle, a_host_port_moves_from_one_container_to_another) {
  lab_->docker().run("one", {"-p", "127.0.0.1:8080:80"});
  expect_answers("tcp 127.0.0.1:8080", "one");
  lab_->docker().docker({"rm", "-f", "one"});
  lab_->docker().run("two", {"-p", "8080:80"});
  expect_published({"tcp 0.0.0.0:8080"});
  expect_answers("tcp 127.0.0.1:8080", "two");
}

TEST_P(lifecycle, fifty_at_once) {
  constexpr int count = 50;
  published_set all;
  std::vector<support::child_process> clients;
  std::vector<std::string> remove{"rm", "-f"};
  for (int i = 0; i < count; ++i) {
    const auto name = fmt::format("web-{}", i),
               host = fmt::format("{}:{}", i % 2 == 0 ? "0.0.0.0" : "127.0.0.1", 9000 + i);
    clients.push_back(lab_->docker().docker_started(support::docker_engine::run_arguments(name, {"-p", host + ":80"})));
    all.insert("tcp " + host);
    remove.push_back(name);
  }
  for (auto& client : clients) ASSERT_EQ(client.wait(60s), 0);
  expect_published(all);
  for (const int i : {0, 1, 24, 25, 48, 49})
    expect_answers(fmt::format("tcp 127.0.0.1:{}", 9000 + i), fmt::format("web-{}", i));
  lab_->docker().docker(remove);
  expect_nothing_left();
}

}  // namespace
}  // namespace integration
