// The engine goes and comes: stopped, killed, started long after the agent.
#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

class engine : public with_each_iptables {
 protected:
  const published_set both{"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"};
  void run(const char* name, const char* port, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"-p", port});
    lab_->docker().run(name, more);
  }
  void run_both_kinds() {
    run("stays", "8080:80", {"--restart=always"});
    run("stays-too", "127.0.0.1:8081:80", {"--restart=always"});
    run("goes", "8082:80");
    run("goes-too", "127.0.0.1:8083:80");
    expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "tcp 0.0.0.0:8082", "tcp 127.0.0.1:8083"});
  }
  void expect_those_that_stay() {
    expect_published(both);
    expect_answers("tcp 127.0.0.1:8080", "stays");
    expect_answers("tcp 127.0.0.1:8081", "stays-too");
    expect_refused("tcp 127.0.0.1:8082");
  }
};
INSTANTIATE_WITH_EACH_IPTABLES(engine);

TEST_P(engine, restarted) {
  run_both_kinds();
  lab_->docker().stop();
  lab_->docker().start();
  expect_those_that_stay();
}

TEST_P(engine, killed_and_started) {
  run_both_kinds();
  lab_->docker().kill9();
  lab_->docker().start();
  expect_those_that_stay();
}

TEST_P(engine, killed_and_gone_takes_nothing_with_it) {
  run("web", "8080:80");
  expect_published({"tcp 0.0.0.0:8080"});
  lab_->docker().kill9();
  ASSERT_TRUE(eventually(soon, [this] { return lab_->control({"status"}).text.contains("degraded"); }));
  expect_published({"tcp 0.0.0.0:8080"});
}

TEST_P(engine, started_after_the_agent) {
  lab_->docker().stop();
  std::filesystem::remove(lab_->docker().socket());
  lab_->start_agent();
  ASSERT_TRUE(eventually(soon, [this] { return lab_->control({"status"}).exit_code == 0; }));
  lab_->docker().start();
  run("web", "127.0.0.1:8080:80");
  expect_published({"tcp 127.0.0.1:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
}

}  // namespace
}  // namespace integration
