// The source against an engine that speaks the real protocol over a real socket, and misbehaves.
#include "sources/docker/docker_source.hpp"

#include <gmock/gmock.h>
#include <poll.h>

#include <fstream>
#include <thread>

#include "tests/support/event_loop.hpp"
#include "tests/support/fake_docker.hpp"
#include "tests/support/hanging_directory.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/server_connection.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/sources/engine/engine_source_cases.hpp"

namespace docker {
namespace {

using namespace std::chrono_literals;

class docker_source_test : public testing::Test {
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

TEST_F(docker_source_test, publishes_what_runs_already_and_what_starts_and_ends) {
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

TEST_F(docker_source_test, subscribes_first_and_speaks_the_engines_version) {
  engine_->api_version = "1.44";
  start_both();
  ASSERT_GE(engine_->targets.size(), 3U);
  EXPECT_EQ(engine_->targets[0], "/_ping");
  EXPECT_THAT(engine_->targets[1], testing::StartsWith("/v1.44/events?filters=%7B%22type%22"));
  EXPECT_THAT(engine_->targets[2], testing::StartsWith("/v1.44/containers/json?filters="));
}

TEST_F(docker_source_test, events_without_anything_in_between_are_understood) {
  engine_->separator = "";
  start_both();
  engine_->run("a", 8080);
  engine_->run("b", 8081);
  EXPECT_TRUE(publishes({8080, 8081}));
}

TEST_F(docker_source_test, an_end_needs_no_question) {
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
TEST_F(docker_source_test, an_event_that_is_too_large_is_made_good_by_a_list) {
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

TEST_F(docker_source_test, an_event_that_cannot_be_read_is_made_good_by_a_list) {
  start_both();
  engine_->silent = true;
  engine_->run("a", 8080);
  engine_->emit_text(R"({"Action":"start","Actor":})");
  EXPECT_TRUE(publishes({8080}));
}

TEST_F(docker_source_test, a_bad_answer_about_a_container_is_asked_for_again_and_concerns_no_other) {
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
  static std::unique_ptr<ports::source> make_source(const async::executor& where, const std::filesystem::path& socket,
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
namespace engine {
INSTANTIATE_TYPED_TEST_SUITE_P(Docker, EngineSource, docker::docker_engine_cases);
}
namespace docker {
namespace {

void set(const char* name, const char* value) { value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1); }

TEST(docker_environment, names_the_engine) {
  const auto with = [](const char* host, const char* tls, const char* version) {
    set("DOCKER_HOST", host);
    set("DOCKER_TLS_VERIFY", tls);
    set("DOCKER_API_VERSION", version);
    return options_from_environment("");
  };
  EXPECT_EQ(with(nullptr, nullptr, nullptr)->engine.path, "/var/run/docker.sock");
  EXPECT_EQ(with("unix:///run/other.sock", nullptr, "1.40")->engine.path, "/run/other.sock");
  EXPECT_EQ(with("tcp://127.0.0.1:2375", nullptr, nullptr)->engine.port, 2375);
  EXPECT_EQ(with("tcp://127.0.0.1:2376", "1", nullptr)->tls, nullptr) << "there are no certificates";
  EXPECT_FALSE(with("ssh://host", nullptr, nullptr));
  EXPECT_FALSE(with(nullptr, nullptr, "latest"));
  set("DOCKER_HOST", "unix:///run/other.sock");
  set("DOCKER_API_VERSION", nullptr);
  EXPECT_EQ(options_from_environment("/run/flag.sock")->engine.path, "/run/flag.sock") << "a flag is stronger";
}

// An engine behind TLS that asks for the client's certificate. For one source: the first connection is its events', the
// second one asks for the list.
class tls_engine {
 public:
  explicit tls_engine(const support::test_authority& authority)
      : tls_(authority.make_server(), authority.ca_pem(), true), thread_([this] { serve(); }) {}

  [[nodiscard]] std::string url() const { return "tcp://127.0.0.1:" + std::to_string(listener_.port); }

 private:
  std::unique_ptr<support::server_connection> next_request() {
    pollfd waiting{.fd = listener_.fd.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 10'000) != 1) return nullptr;
    base::unique_fd fd(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    auto one = std::make_unique<support::server_connection>(std::move(fd));
    return one->start_tls(tls_) && one->read_request() ? std::move(one) : nullptr;
  }
  void serve() {
    const auto events = next_request();
    if (!events || !events->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")) return;
    if (const auto list = next_request())
      list->write_answer(200, R"([{"Id":"a","Ports":[{"PrivatePort":80,"PublicPort":8080,"Type":"tcp"}]}])");
    static_cast<void>(events->read_request());  // none: the client goes
  }

  support::listening_socket listener_ = support::listen_on_loopback();
  support::server_tls tls_;
  std::jthread thread_;
};

class docker_tls_test : public docker_source_test {
 protected:
  void SetUp() override {
    docker_source_test::SetUp();
    set("DOCKER_CERT_PATH", directory_.path().c_str());
    set("DOCKER_API_VERSION", "1.41");
    const auto own = authority_.make_client("agent");
    write("cert.pem", own.cert_pem);
    write("key.pem", own.key_pem);
    write("ca.pem", authority_.ca_pem());
  }
  void TearDown() override {
    for (const auto* name : {"DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION"})
      set(name, nullptr);
    docker_source_test::TearDown();
  }
  void write(const char* name, const std::string& text) const { std::ofstream(directory_ / name) << text; }
  // Does a source with this environment publish what the engine has?
  bool works(const char* verify) {
    tls_engine engine(authority_);
    set("DOCKER_HOST", engine.url().c_str());
    set("DOCKER_TLS_VERIFY", verify);
    feed_ = {};
    source_ = std::make_unique<docker_source>(loop_.executor(), options_from_environment("").value());
    loop_.spawn(source_->run(feed_));
    loop_.run_until([this] { return feed_.last || feed_.trouble; });
    const bool published = feed_.host_ports() == std::set<std::uint16_t>{8080};
    loop_.stop();
    source_.reset();
    return published;
  }

  support::test_authority authority_, foreign_;
};

TEST_F(docker_tls_test, the_engine_is_checked_if_that_is_asked_for) {
  EXPECT_TRUE(works("1"));
  EXPECT_TRUE(works(nullptr));
  write("ca.pem", foreign_.ca_pem());
  EXPECT_FALSE(works("1"));
  EXPECT_TRUE(works(nullptr));
  EXPECT_TRUE(works("")) << "as if it were not there";
}

TEST_F(docker_tls_test, certificates_that_cannot_be_used_are_errors) {
  set("DOCKER_HOST", "tcp://127.0.0.1:2376");
  write("key.pem", "");
  EXPECT_THAT(options_from_environment("").error().message(), testing::HasSubstr("/key.pem is empty"));
  std::filesystem::remove(directory_ / "cert.pem");
  EXPECT_THAT(options_from_environment("").error().message(), testing::HasSubstr("/cert.pem: No such file"));
  EXPECT_TRUE(options_from_environment("/run/docker.sock")) << "nothing is encrypted on a UNIX socket";
}

// The agent does not start then, which its supervisor sees; it would not even end otherwise.
TEST_F(docker_tls_test, certificates_on_a_file_system_that_hangs_are_not_waited_for) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  set("DOCKER_HOST", "tcp://127.0.0.1:2376");
  set("DOCKER_CERT_PATH", dead.path().c_str());
  EXPECT_THAT(options_from_environment("").error().message(),
              testing::HasSubstr("/cert.pem: its file system does not answer"));
}

}  // namespace
}  // namespace docker
