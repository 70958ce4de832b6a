// The source against an engine that speaks the real protocol over a real socket, and misbehaves.
#include "sources/docker/docker_source.hpp"

#include <gmock/gmock.h>

#include "tests/support/event_loop.hpp"
#include "tests/support/fake_docker.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/containers/engine_source_cases.hpp"

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
  void start_source() {
    docker_options o;
    o.engine.path = directory_ / "docker.sock";
    o.following.second_list = 1h;
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

// The stream's bytes are read in pieces: an object somewhat over the limit arrives whole, a larger one does not.
TEST_F(DockerSource, AnEventThatIsTooLargeIsMadeGoodByAList) {
  start_both();
  std::uint64_t epoch = 1;
  for (const std::size_t bytes : {(1U << 20) + 100, (1U << 20) + 500'000}) {
    engine_->label = std::string(bytes, 'x');
    engine_->run("a", 8080);
    EXPECT_TRUE(publishes({8080}));
    EXPECT_EQ(feed_.last->epoch, ++epoch);
    ASSERT_TRUE(loop_.run_until([&] { return engine_->subscribers == epoch; }));
    engine_->containers.erase("a");
    engine_->emit("die", "a");
    EXPECT_TRUE(publishes({}));
    EXPECT_EQ(feed_.last->epoch, ++epoch);
    ASSERT_TRUE(loop_.run_until([&] { return engine_->subscribers == epoch; }));
  }
}

TEST_F(DockerSource, AnEventThatCannotBeReadIsMadeGoodByAList) {
  start_both();
  engine_->silent = true;
  engine_->run("a", 8080);
  engine_->emit_text(R"({"Action":"start","Actor":})");
  EXPECT_TRUE(publishes({8080}));
}

TEST_F(DockerSource, ABadAnswerAboutAContainerIsAskedForAgainAndConcernsNoOther) {
  start_both();
  engine_->instead["bad"] = http::text_response(500, "no such network");
  engine_->instead["worse"] = {200, {}, "{"};
  engine_->run("bad", 8080);
  engine_->run("worse", 8081);
  engine_->run("good", 8082);
  EXPECT_TRUE(publishes({8082}));
  ASSERT_TRUE(loop_.run_until([this] { return engine_->inspects > 3; }));
  engine_->instead.clear();
  EXPECT_TRUE(publishes({8080, 8081, 8082}));
  EXPECT_EQ(feed_.troubles, 0U);
  EXPECT_EQ(feed_.last->epoch, 1U);
}

struct docker_engine_cases : support::fake_docker {
  using fake_docker::fake_docker;
  void announce(const std::string& id) { emit("start", id); }
  void forget(const std::string& id) { containers.erase(id); }
  void pause(const std::string& id) { containers[id].paused = true; }
  void set_silent(bool loses_events) { silent = loses_events; }
  void set_hanging(bool never_answers) { hangs = never_answers; }
  [[nodiscard]] bool subscribed() const { return subscribers > 0; }
  static std::unique_ptr<ports::source> make_source(const io::executor& where, const std::filesystem::path& socket,
                                                    std::chrono::milliseconds second_list,
                                                    std::chrono::milliseconds deadline) {
    docker_options o;
    o.engine.path = socket;
    o.following.second_list = second_list;
    o.deadline = deadline;
    return std::make_unique<docker_source>(where, o);
  }
};
}  // namespace
}  // namespace docker
namespace containers {
INSTANTIATE_TYPED_TEST_SUITE_P(Docker, EngineSource, docker::docker_engine_cases);
}
namespace docker {
namespace {

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
