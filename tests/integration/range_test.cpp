// A range of a thousand ports at once. With iptables-legacy only: the engine itself needs a minute and a half to remove
// so many rules with iptables-nft.
#include <fmt/format.h>

#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

class range : public end_to_end {
 protected:
  range() : end_to_end({.iptables = support::iptables_variant::legacy}) {}
};

TEST_F(range, of_a_thousand_ports) {
  lab_->docker().run("wide", {"-p", "20000-20999:1000-1999"}, {"tcp:1000-1999"});
  published_set all;
  for (int port = 20'000; port <= 20'999; ++port) all.insert(fmt::format("tcp 0.0.0.0:{}", port));
  expect_published(all);
  for (const auto* port : {"tcp 127.0.0.1:20000", "tcp 127.0.0.1:20500", "tcp 127.0.0.1:20999"})
    expect_answers(port, "wide");
  lab_->docker().docker({"kill", "wide"});
  expect_nothing_left();
}

// Each round publishes three loopback ports by rules of ours and withdraws them, while the engine adds the range: the
// table changes during every change of ours.
TEST_F(range, three_containers_on_loopback_come_and_go_while_a_thousand_ports_are_published) {
  const auto& docker = lab_->docker();
  const std::vector<std::string> names{"one", "two", "three"};
  const auto start_all = [&] {
    std::vector<support::child_process> clients;
    for (int i = 0; i < 3; ++i)
      clients.push_back(docker.docker_started(support::docker_engine::run_arguments(
          names[static_cast<std::size_t>(i)], {"-p", fmt::format("127.0.0.1:{}:80", 8081 + i)})));
    for (auto& client : clients) ASSERT_EQ(client.wait(60s), 0);
  };
  auto wide = docker.docker_started(
      support::docker_engine::run_arguments("wide", {"-p", "20000-20999:1000-1999"}, {"tcp:1000-1999"}));
  for (int round = 0; round < 20; ++round) {
    start_all();
    docker.docker({"rm", "-f", "one", "two", "three"});
  }
  start_all();
  ASSERT_EQ(wide.wait(90s), 0);
  published_set all{"tcp 127.0.0.1:8081", "tcp 127.0.0.1:8082", "tcp 127.0.0.1:8083"};
  for (int port = 20'000; port <= 20'999; ++port) all.insert(fmt::format("tcp 0.0.0.0:{}", port));
  expect_published(all);
  for (int i = 0; i < 3; ++i)
    expect_answers(fmt::format("tcp 127.0.0.1:{}", 8081 + i), names[static_cast<std::size_t>(i)]);
  expect_answers("tcp 127.0.0.1:20500", "wide");
  docker.docker({"kill", "one", "two", "three", "wide"});
  expect_nothing_left();
}

}  // namespace
}  // namespace integration
