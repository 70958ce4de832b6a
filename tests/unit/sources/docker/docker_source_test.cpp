// The source against an engine that speaks the real protocol over a real socket, and misbehaves.
#include "sources/docker/docker_source.hpp"

#include <gmock/gmock.h>

#include "tests/support/event_loop.hpp"
#include "tests/support/fake_docker.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/temp_dir.hpp"

namespace docker {
namespace {

using namespace std::chrono_literals;

class DockerSource : public testing::Test {
 protected:
  void SetUp() override {
    engine_ = std::make_unique<support::fake_docker>(loop_.executor(), directory_ / "docker.sock");
  }
  void TearDown() override {
    loop_.stop();
    source_.reset();
    engine_->stop();
    loop_.run_until([] { return false; }, 10ms);
  }
  void start_source(std::chrono::milliseconds second_list = 1h, std::chrono::milliseconds deadline = 5s) {
    docker_options o;
    o.engine.path = directory_ / "docker.sock";
    o.following.second_list = second_list;
    o.deadline = deadline;
    source_ = std::make_unique<docker_source>(loop_.executor(), o);
    loop_.spawn(source_->run(feed_));
  }
  void start_both() {
    engine_->start();
    start_source();
    ASSERT_TRUE(loop_.run_until([this] { return feed_.last && engine_->subscribers > 0; }));
  }
  [[nodiscard]] bool publishes(const std::set<std::uint16_t>& ports) {
    return loop_.run_until([&] { return feed_.host_ports() == ports; });
  }

  support::event_loop loop_;
  support::temp_dir directory_;
  std::unique_ptr<support::fake_docker> engine_;
  support::recording_feed feed_;
  std::unique_ptr<docker_source> source_;
};

TEST_F(DockerSource, PublishesWhatRunsAlreadyAndWhatStartsAndEnds) {
  engine_->run("a", 8080);
  start_both();
  EXPECT_TRUE(publishes({8080}));
  engine_->run("b", 8081, "127.0.0.1");
  EXPECT_TRUE(publishes({8080, 8081}));
  engine_->end("a");
  EXPECT_TRUE(publishes({8081}));
  EXPECT_EQ(feed_.last->bindings[0].owner, "b");
  EXPECT_EQ(feed_.last->bindings[0].owner_name, "name-b");
  EXPECT_EQ(feed_.last->epoch, 1U);
}

TEST_F(DockerSource, SubscribesFirstAndSpeaksTheEnginesVersion) {
  engine_->api_version = "1.44";
  start_both();
  ASSERT_GE(engine_->targets.size(), 3U);
  EXPECT_EQ(engine_->targets[0], "/_ping");
  EXPECT_THAT(engine_->targets[1], testing::StartsWith("/v1.44/events?filters=%7B%22type%22"));
  EXPECT_THAT(engine_->targets[2], testing::StartsWith("/v1.44/containers/json?filters="));
}

TEST_F(DockerSource, EventsWithoutAnythingInBetweenAreUnderstood) {
  engine_->separator = "";
  start_both();
  engine_->run("a", 8080);
  engine_->run("b", 8081);
  EXPECT_TRUE(publishes({8080, 8081}));
}

TEST_F(DockerSource, ConnectsTheMomentTheEngineIsThere) {
  start_source();
  ASSERT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); }));
  EXPECT_EQ(feed_.trouble->code, std::errc::no_such_file_or_directory);
  EXPECT_FALSE(feed_.last) << "not knowing is not an empty list";
  engine_->run("a", 8080);
  const auto before = io::clock::now();
  engine_->start();
  EXPECT_TRUE(publishes({8080}));
  EXPECT_LT(io::clock::now() - before, 2s);
}

TEST_F(DockerSource, AnEngineThatGoesAndComesBackIsListedAnew) {
  engine_->run("a", 8080);
  start_both();
  engine_->stop();
  ASSERT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); }));
  EXPECT_TRUE(publishes({8080})) << "the last ports stay";
  engine_->containers.clear();
  engine_->run("b", 8081);
  engine_->start();
  EXPECT_TRUE(publishes({8081}));
  EXPECT_EQ(feed_.last->epoch, 2U);
  EXPECT_FALSE(feed_.trouble);
}

TEST_F(DockerSource, AContainerThatIsGoneBeforeItIsAskedAboutIsNothing) {
  start_both();
  engine_->emit("start", "ghost");
  engine_->run("a", 8080);
  EXPECT_TRUE(publishes({8080}));
  EXPECT_FALSE(feed_.trouble);
}

TEST_F(DockerSource, AnEndNeedsNoQuestion) {
  engine_->run("a", 8080);
  start_both();
  ASSERT_TRUE(publishes({8080}));
  const auto asked = engine_->inspects;
  engine_->containers.erase("a");  // --rm: it can be asked about no more
  engine_->emit("die", "a");
  EXPECT_TRUE(publishes({}));
  EXPECT_EQ(engine_->inspects, asked);
}

TEST_F(DockerSource, ALostEventIsHealedByTheNextList) {
  engine_->run("a", 8080);
  engine_->start();
  start_source(50ms);
  ASSERT_TRUE(publishes({8080}));
  engine_->silent = true;
  engine_->run("b", 8081);
  EXPECT_TRUE(publishes({8080, 8081}));
}

TEST_F(DockerSource, APausedContainerKeepsItsPorts) {
  engine_->run("a", 8080);
  engine_->run("b", 8081);
  engine_->containers["a"].paused = true;
  start_both();
  EXPECT_TRUE(publishes({8080, 8081}));
}

TEST_F(DockerSource, AnEngineThatAcceptsAndNeverAnswersIsDegradedAndTriedAgain) {
  engine_->hangs = true;
  engine_->run("a", 8080);
  engine_->start();
  start_source(1h, 50ms);
  ASSERT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); }));
  EXPECT_EQ(feed_.trouble->code, std::errc::timed_out);
  engine_->hangs = false;
  EXPECT_TRUE(publishes({8080}));
}

TEST_F(DockerSource, FiftyContainersAtOnce) {
  start_both();
  std::set<std::uint16_t> ports;
  for (std::uint16_t port = 9000; port < 9050; ++port) {
    engine_->run("c" + std::to_string(port), port);
    ports.insert(port);
  }
  EXPECT_TRUE(publishes(ports));
  for (const auto port : ports) engine_->end("c" + std::to_string(port));
  EXPECT_TRUE(publishes({}));
}

TEST(DockerEnvironment, NamesTheEngine) {
  const auto set = [](const char* name, const char* value) {
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  };
  const auto with = [&set](const char* host, const char* tls, const char* version) {
    set("DOCKER_HOST", host);
    set("DOCKER_TLS_VERIFY", tls);
    set("DOCKER_API_VERSION", version);
    return options_from_environment("");
  };
  EXPECT_EQ(with(nullptr, nullptr, nullptr)->engine.path, "/var/run/docker.sock");
  EXPECT_EQ(with("unix:///run/other.sock", nullptr, "1.40")->engine.path, "/run/other.sock");
  EXPECT_EQ(with("tcp://127.0.0.1:2375", nullptr, nullptr)->engine.port, 2375);
  EXPECT_FALSE(with("tcp://127.0.0.1:2376", "1", nullptr));
  EXPECT_FALSE(with("ssh://host", nullptr, nullptr));
  EXPECT_FALSE(with(nullptr, nullptr, "latest"));
  set("DOCKER_HOST", "unix:///run/other.sock");
  set("DOCKER_API_VERSION", nullptr);
  EXPECT_EQ(options_from_environment("/run/flag.sock")->engine.path, "/run/flag.sock") << "a flag is stronger";
}

}  // namespace
}  // namespace docker
