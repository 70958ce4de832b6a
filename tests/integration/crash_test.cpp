// Our own programs are killed, each alone and all together, and started in every order.
#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

class crash : public with_each_iptables {
 protected:
  const published_set both{"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"};
  void run_web() {
    lab_->docker().run("web", {"-p", "8080:80", "-p", "127.0.0.1:8081:80"});
    expect_web();
  }
  void expect_web() {
    expect_published(both);
    expect_answers("tcp 127.0.0.1:8080", "web");
    expect_answers("tcp 127.0.0.1:8081", "web");
  }
  void remove_web() {
    lab_->docker().docker({"rm", "-f", "web"});
    expect_nothing_left();
  }
};
INSTANTIATE_WITH_EACH_IPTABLES(crash);

TEST_P(crash, of_the_agent) {
  run_web();
  for (int i = 0; i < 3; ++i) {
    lab_->start_agent();
    expect_web();
  }
  remove_web();
}

TEST_P(crash, of_the_agent_leaves_no_gap) {
  run_web();
  std::atomic<int> asked = 0, unanswered = 0;
  std::jthread client([&](const std::stop_token& stopped) {
    const auto at = *net::parse_endpoint("127.0.0.1:8080"), at_loopback = *net::parse_endpoint("127.0.0.1:8081");
    for (; !stopped.stop_requested(); asked += 2) {
      unanswered += support::http_get(lab_->host(), at, "/") != "web\n";
      unanswered += support::http_get(lab_->host(), at_loopback, "/") != "web\n";
    }
  });
  lab_->agent().kill9();
  const auto before = asked.load();
  EXPECT_TRUE(eventually(soon, [&] { return asked > before + 20; }));
  lab_->start_agent();
  expect_web();
  const auto after = asked.load();
  EXPECT_TRUE(eventually(soon, [&] { return asked > after + 20; }));
  client.request_stop();
  client.join();
  EXPECT_EQ(unanswered, 0) << "of " << asked;
}

TEST_P(crash, of_the_agent_while_containers_come_and_go) {
  run_web();
  lab_->agent().kill9();
  lab_->docker().docker({"rm", "-f", "web"});
  lab_->docker().run("other", {"-p", "8090:80", "-p", "127.0.0.1:8091:80"});
  lab_->start_agent();
  expect_published({"tcp 0.0.0.0:8090", "tcp 127.0.0.1:8091"});
  expect_answers("tcp 127.0.0.1:8090", "other");
  expect_answers("tcp 127.0.0.1:8091", "other");
  lab_->agent().kill9();
  lab_->docker().docker({"rm", "-f", "other"});
  lab_->start_agent();
  expect_nothing_left();
}

TEST_P(crash, of_host_switch) {
  run_web();
  start_host_switch();
  expect_web();
  lab_->host_switch().kill9();
  lab_->docker().docker({"rm", "-f", "web"});
  start_host_switch();
  expect_nothing_left();
}

TEST_P(crash, of_wsl_proxy) {
  run_web();
  lab_->start_wsl_proxy();
  expect_web();
  lab_->wsl_proxy().kill9();
  lab_->docker().docker({"rm", "-f", "web"});
  lab_->start_wsl_proxy();
  expect_nothing_left();
}

TEST_P(crash, of_all_and_back_in_every_order) {
  run_web();
  std::array<int, 3> order{0, 1, 2};
  do {
    lab_->agent().kill9();
    lab_->host_switch().kill9();
    lab_->wsl_proxy().kill9();
    for (const int one : order) {
      if (one == 0) lab_->start_agent();
      if (one == 1) start_host_switch();
      if (one == 2) lab_->start_wsl_proxy();
    }
    expect_web();
  } while (std::ranges::next_permutation(order).found && !HasFailure());
  remove_web();
}

TEST_P(crash, of_one_of_two_at_a_time_while_containers_change) {
  run_web();
  lab_->host_switch().kill9();
  lab_->docker().run("second", {"-p", "8090:80"});
  lab_->start_agent();
  start_host_switch();
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "tcp 0.0.0.0:8090"});
  lab_->wsl_proxy().kill9();
  lab_->docker().docker({"rm", "-f", "second"});
  lab_->start_agent();
  lab_->start_wsl_proxy();
  expect_web();
  remove_web();
}

TEST_P(crash, the_agent_stops_cleanly) {
  run_web();
  const auto begin = support::clock::now();
  EXPECT_EQ(lab_->agent().stop(5s), 0);
  EXPECT_LT(support::clock::now() - begin, 5s);
  expect_published({}, 100ms);
}

}  // namespace
}  // namespace integration
