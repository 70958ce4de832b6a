// The Docker source against a real podman, which serves Docker's API with events, lists and names of its own.
#include <gtest/gtest.h>

#include "sources/docker/docker_source.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/podman_engine.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/temp_dir.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;

class podman : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = support::podman_engine::missing(); !why.empty()) GTEST_SKIP() << why;
    where_.emplace("podman");
    engine_.emplace(*where_, directory_ / "podman");
    engine_->start();
    // As users do: Docker's socket is a link to podman's.
    std::filesystem::create_symlink("podman/podman.sock", directory_ / "docker.sock");
    docker::docker_options o;
    o.engine.path = directory_ / "docker.sock";
    source_.emplace(loop_.executor(), o);
    loop_.spawn(source_->run(feed_));
  }
  void TearDown() override {
    loop_.stop();
    source_.reset();
    if (HasFailure() && engine_) std::cerr << engine_->log();
    engine_.reset();
  }
  [[nodiscard]] bool publishes(const std::set<std::uint16_t>& ports, std::chrono::milliseconds limit = 5s) {
    return loop_.run_until([&] { return feed_.host_ports() == ports; }, limit);
  }
  // After a list the published ports are the same.
  void expect_the_list_agrees(const std::set<std::uint16_t>& ports) {
    loop_.pass_time(5min);
    loop_.run_until([] { return false; }, 500ms);
    EXPECT_TRUE(publishes(ports));
  }

  support::temp_dir directory_;
  support::event_loop loop_;
  support::recording_feed feed_;
  std::optional<support::netns> where_;
  std::optional<support::podman_engine> engine_;
  std::optional<docker::docker_source> source_;
};

TEST_F(podman, containers_come_change_and_go) {
  ASSERT_TRUE(publishes({}));
  engine_->run("web", {"-p", "8080:80", "-p", "20000-20003:1000-1003"});
  const std::set<std::uint16_t> ports{8080, 20000, 20001, 20002, 20003};
  EXPECT_TRUE(publishes(ports));
  expect_the_list_agrees(ports);
  engine_->docker({"rename", "web", "renamed"});
  EXPECT_TRUE(loop_.run_until([this] { return feed_.last->bindings[0].owner_name == "renamed"; }));
  engine_->docker({"pause", "renamed"});
  expect_the_list_agrees(ports);
  engine_->docker({"unpause", "renamed"});
  engine_->docker({"restart", "-t", "0", "renamed"});
  expect_the_list_agrees(ports);
  engine_->docker({"stop", "-t", "0", "renamed"});
  EXPECT_TRUE(publishes({}));
  engine_->docker({"start", "renamed"});
  EXPECT_TRUE(publishes(ports));
  engine_->docker({"rm", "-f", "renamed"});
  EXPECT_TRUE(publishes({}));
}

TEST_F(podman, one_that_removes_itself_or_is_killed_goes) {
  engine_->run("removed", {"--rm", "-p", "8081:80"});
  engine_->run("killed", {"-p", "8082:80"});
  ASSERT_TRUE(publishes({8081, 8082}));
  engine_->docker({"kill", "killed"});
  EXPECT_TRUE(publishes({8081}));
  engine_->docker({"stop", "-t", "0", "removed"});
  EXPECT_TRUE(publishes({}));
}

TEST_F(podman, is_noticed_when_it_comes_back) {
  engine_->run("web", {"-p", "8080:80"});
  ASSERT_TRUE(publishes({8080}));
  engine_->kill9();
  ASSERT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); }));
  std::filesystem::remove(engine_->socket());
  ASSERT_TRUE(publishes({8080}));
  const auto before = feed_.publications;
  engine_->start();
  EXPECT_TRUE(loop_.run_until([&] { return feed_.publications > before; }, 3s));
  EXPECT_TRUE(publishes({8080}));
}

}  // namespace
}  // namespace integration
