// The source against a containerd that speaks the real protocol over a real socket, and misbehaves.
#include "sources/containerd/containerd_source.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/event_loop.hpp"
#include "tests/support/fake_containerd.hpp"
#include "tests/support/hanging_directory.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/sources/engine/engine_source_cases.hpp"

namespace containerd {
namespace {

using namespace std::chrono_literals;
using support::fake_containerd;

std::string mapping(unsigned port) {
  return R"({"HostPort":)" + std::to_string(port) + R"(,"ContainerPort":80,"Protocol":"tcp","HostIP":""})";
}

class containerd_source_test : public testing::Test {
 protected:
  void SetUp() override { engine_ = std::make_unique<fake_containerd>(directory_ / "containerd.sock"); }
  void TearDown() override {
    loop_.stop();
    source_.reset();
    engine_->stop();
    loop_.run_until([] { return false; }, 10ms);
  }
  void start_source(std::chrono::milliseconds second_list = 1h) {
    containerd_options o = options_;
    o.socket = directory_ / "containerd.sock";
    o.following.second_list = o.following.relist = second_list;
    o.following.stopped = stopped_;
    source_ = std::make_unique<containerd_source>(loop_.executor(), o);
    loop_.spawn(source_->run(feed_));
  }
  void start_both(std::chrono::milliseconds second_list = 1h) {
    engine_->start();
    start_source(second_list);
    ASSERT_TRUE(loop_.run_until([this] { return feed_.last && engine_->subscribers() > 0; }));
  }
  [[nodiscard]] bool publishes(const std::set<std::uint16_t>& ports) {
    return loop_.run_until([&] { return feed_.host_ports() == ports; });
  }
  // The container has no ports, and the reason is shown.
  void expect_refused(const std::string& id, const fake_containerd::label_map& labels, const std::string& where) {
    engine_->run("default", id, labels);
    const auto shown = [&] { return feed_.refusals().contains(id + ": " + where + ": "); };
    EXPECT_TRUE(loop_.run_until(shown)) << id << "\n" << feed_.refusals();
    EXPECT_EQ(feed_.host_ports(), std::set<std::uint16_t>{8080}) << id;
  }

  support::event_loop loop_;
  support::temp_dir directory_;
  std::unique_ptr<fake_containerd> engine_;
  support::recording_feed feed_;
  containerd_options options_ = [] {
    containerd_options o;
    o.deadline = 5s;
    return o;
  }();
  std::shared_ptr<engine::stopped_containers> stopped_ = std::make_shared<engine::stopped_containers>(loop_.executor());
  std::unique_ptr<containerd_source> source_;
};

TEST_F(containerd_source_test, publishes_what_runs_already_and_what_starts_and_ends) {
  engine_->run("a", 8080);
  start_both();
  EXPECT_TRUE(publishes({8080}));
  engine_->run("b", 8081);
  EXPECT_TRUE(publishes({8080, 8081}));
  engine_->end("default", "a");
  EXPECT_TRUE(publishes({8081}));
  EXPECT_EQ(feed_.last->bindings[0].owner, "default/b");
  EXPECT_EQ(feed_.last->bindings[0].owner_name, "b");
  EXPECT_EQ(feed_.last->epoch, 1U);
}

TEST_F(containerd_source_test, every_namespace_is_followed) {
  engine_->run("k8s.io", "a", {{"nerdctl/ports", "[" + mapping(8081) + "]"}, {"nerdctl/name", "web"}});
  engine_->run("a", 8080);
  start_both();
  EXPECT_TRUE(publishes({8080, 8081}));
  EXPECT_EQ(feed_.last->bindings[1].owner_name, "k8s.io/web");
  engine_->run("later", "a", {{"nerdctl/ports", "[" + mapping(8082) + "]"}});
  EXPECT_TRUE(publishes({8080, 8081, 8082})) << "one that did not exist when the source connected";
  engine_->end("k8s.io", "a");
  EXPECT_TRUE(publishes({8080, 8082})) << "of three that share an id";
}

TEST_F(containerd_source_test, the_end_of_another_process_in_a_container_is_nothing) {
  engine_->run("a", 8080);
  start_both();
  ASSERT_TRUE(publishes({8080}));
  engine_->end_other_process("default", "a");
  engine_->run("b", 8081);
  EXPECT_TRUE(publishes({8080, 8081}));
}

// A shim of containerd 2.x that ends at once loses events that it has not sent yet.
TEST_F(containerd_source_test, an_end_that_the_shim_did_not_report_is_learnt_from_the_removal) {
  engine_->run("a", 8080);
  engine_->run("b", 8081);
  engine_->run("c", 8082);
  start_both();
  ASSERT_TRUE(publishes({8080, 8081, 8082}));
  engine_->forget("default", "a");
  engine_->emit("default", "/tasks/delete",
                "\x0a\x01"
                "a");
  EXPECT_TRUE(publishes({8081, 8082}));
  engine_->forget("default", "b");
  engine_->emit("default", "/containers/delete",
                "\x0a\x01"
                "b");
  EXPECT_TRUE(publishes({8082}));
}

TEST_F(containerd_source_test, a_removal_that_comes_late_ends_nothing) {
  engine_->run("a", 8080);
  start_both();
  ASSERT_TRUE(publishes({8080}));
  engine_->emit("default", "/tasks/delete",
                "\x0a\x01"
                "a");
  engine_->run("b", 8081);
  EXPECT_TRUE(publishes({8080, 8081}));
}

// Its own ports are unknown; those of others do not wait for it.
TEST_F(containerd_source_test, a_state_directory_that_hangs_delays_no_other_namespace) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  engine_->run("default", "dead", {{"nerdctl/state-dir", dead.path()}});
  engine_->run("b", 8081);
  start_both();
  EXPECT_TRUE(publishes({8081}));
  engine_->run("default", "dead-too", {{"nerdctl/state-dir", dead.path()}});
  engine_->run("c", 8082);
  EXPECT_TRUE(publishes({8081, 8082}));
  EXPECT_TRUE(loop_.run_until([this] { return feed_.refusals().contains("default/dead: container: "); }))
      << feed_.refusals();
  dead.release();
  for (const std::string name : {"dead", "dead-too"})
    EXPECT_TRUE(loop_.run_until([&] {
      return feed_.refusals().contains(name +
                                       ": container: the engine does not report its state, "
                                       "retrying: network-config.json");
    })) << "it is asked again, and answers now: "
        << feed_.refusals();
}

TEST_F(containerd_source_test, an_update_of_a_stopped_container_publishes_nothing) {
  engine_->run("a", 8080);
  start_both();
  ASSERT_TRUE(publishes({8080}));
  engine_->end("default", "a");
  ASSERT_TRUE(publishes({}));
  engine_->update("default", "a", {{"nerdctl/ports", "[" + mapping(8081) + "]"}});
  engine_->run("b", 8082);
  EXPECT_TRUE(publishes({8082}));
  engine_->update("default", "b", {{"nerdctl/ports", "[" + mapping(8083) + "]"}});
  EXPECT_TRUE(publishes({8083})) << "one that runs has the new ports";
}

TEST_F(containerd_source_test, a_state_that_containerd_cannot_tell_changes_nothing) {
  engine_->run("a", 8080);
  start_both(50ms);
  ASSERT_TRUE(publishes({8080}));
  engine_->hang_shim("default", "a", true);
  engine_->update("default", "a", {{"nerdctl/ports", "[" + mapping(8081) + "]"}});
  const auto lists = engine_->lists();
  engine_->run("b", 8082);
  EXPECT_TRUE(publishes({8080, 8082}));
  ASSERT_TRUE(loop_.run_until([&] { return engine_->lists() > lists + 1; }));
  EXPECT_TRUE(publishes({8080, 8082})) << "nor does a list";
  engine_->hang_shim("default", "a", false);
  EXPECT_TRUE(publishes({8081, 8082})) << "it is asked again";
  EXPECT_EQ(feed_.last->epoch, 1U);
}

TEST_F(containerd_source_test, is_stopped_whatever_is_under_way) {
  engine_->run("a", 8080);
  engine_->start();
  for (int i = 0; i < 40; ++i) {
    engine_->set_hanging(i % 2 == 0);
    start_source(1ms);
    loop_.run_until([] { return false; }, std::chrono::milliseconds(i));
    engine_->run("c" + std::to_string(i), static_cast<std::uint16_t>(9000 + i));
    loop_.stop();
    source_.reset();
  }
  engine_->set_hanging(false);
  start_source();
  EXPECT_TRUE(loop_.run_until([this] { return feed_.last && feed_.last->bindings.size() == 41; }));
}

TEST_F(containerd_source_test, more_events_than_are_taken_at_once) {
  start_both();
  for (int i = 0; i < 5'000; ++i) engine_->end_other_process("default", "a");
  for (int i = 0; i < 5'000; ++i) engine_->end("default", "ghost" + std::to_string(i));
  engine_->run("a", 8080);
  EXPECT_TRUE(publishes({8080}));
  EXPECT_EQ(feed_.last->epoch, 1U);
}

// nerdctl writes it while the task starts.
TEST_F(containerd_source_test, a_file_that_is_being_written_is_not_a_file_without_ports) {
  const auto file = directory_ / "network-config.json";
  const auto write = [&file](const std::string& text) { std::ofstream(file, std::ios::trunc) << text; };
  write(R"({"portMappings":[)" + mapping(8080) + "]}");
  start_both();
  engine_->run("default", "a", {{"nerdctl/state-dir", directory_.path()}});
  ASSERT_TRUE(publishes({8080}));
  for (const std::string half : {"", R"({"portMappings":[)"}) {
    write(half);
    engine_->update("default", "a", {{"nerdctl/state-dir", directory_.path()}});
    ASSERT_TRUE(loop_.run_until([this] { return feed_.refusals().contains("incomplete"); })) << feed_.refusals();
    EXPECT_EQ(feed_.host_ports(), std::set<std::uint16_t>{8080});
  }
  write(R"({"portMappings":[)" + mapping(8081) + "]}");
  EXPECT_TRUE(publishes({8081}));
}

TEST_F(containerd_source_test, a_state_that_cannot_be_told_is_asked_for_after_the_first_list_as_well) {
  engine_->run("a", 8080);
  engine_->hang_shim("default", "a", true);
  start_both();
  ASSERT_TRUE(loop_.run_until([this] { return feed_.refusals().contains("default/a"); })) << feed_.refusals();
  engine_->hang_shim("default", "a", false);
  EXPECT_TRUE(publishes({8080}));
}

TEST_F(containerd_source_test, an_event_that_cannot_be_read_is_made_good_by_a_list) {
  start_both();
  engine_->set_silent(true);
  engine_->run("a", 8080);
  engine_->emit("default", "/tasks/start", "\xff\xff\xff");
  EXPECT_TRUE(publishes({8080}));
  EXPECT_EQ(feed_.last->epoch, 1U);
}

TEST_F(containerd_source_test, notes_the_containers_that_do_not_run) {
  engine_->run("a", 8080);
  engine_->run("b", 8081);
  engine_->end("default", "b");
  start_both();
  ASSERT_TRUE(publishes({8080}));
  EXPECT_TRUE(stopped_->contains("default-b"));
  EXPECT_FALSE(stopped_->contains("default-a"));
  engine_->end("default", "a");
  EXPECT_TRUE(loop_.run_until([this] { return stopped_->contains("default-a"); }));
  engine_->run("b", 8081);
  EXPECT_TRUE(publishes({8081}));
  EXPECT_FALSE(stopped_->contains("default-b"));
}

// Nothing starts a container while containerd is away. One that is there and silent may have started any of them.
TEST_F(containerd_source_test, forgets_what_did_not_run_where_the_engine_is_there_and_silent) {
  options_.deadline = 200ms;
  options_.following.stopped_kept = 400ms;
  engine_->run("a", 8080);
  engine_->run("b", 8081);
  engine_->end("default", "b");
  start_both();
  ASSERT_TRUE(publishes({8080}));
  ASSERT_TRUE(stopped_->contains("default-b"));
  engine_->stop();
  ASSERT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); }));
  loop_.run_until([] { return false; }, 900ms);
  EXPECT_TRUE(stopped_->contains("default-b")) << "it is away";
  engine_->set_hanging(true);
  engine_->start();
  EXPECT_TRUE(loop_.run_until([this] { return !stopped_->contains("default-b"); }));
  engine_->set_hanging(false);
  EXPECT_TRUE(loop_.run_until([this] { return stopped_->contains("default-b"); })) << "the next list says it again";
}

TEST_F(containerd_source_test, events_that_cannot_be_read_are_nothing) {
  start_both();
  engine_->emit("default", "/tasks/start", "\xff\xff\xff");
  engine_->emit("default", "/tasks/start", "");
  engine_->emit("../etc", "/tasks/start",
                "\x0a\x01"
                "a");
  engine_->emit("default", "/tasks/start", "\x0a\x04..\x2f\x0a");
  engine_->run("a", 8080);
  EXPECT_TRUE(publishes({8080}));
  EXPECT_FALSE(feed_.trouble);
  EXPECT_EQ(feed_.last->epoch, 1U);
}

TEST_F(containerd_source_test, a_label_of_a_megabyte_harms_only_itself) {
  engine_->run("a", 8080);
  start_both();
  std::string many = "[";
  while (many.size() < 1 << 20) many += mapping(8081) + ",";
  many.back() = ']';
  expect_refused("large", {{"nerdctl/ports", many}}, "nerdctl/ports");
}

TEST_F(containerd_source_test, ports_of_the_state_directory) {
  std::ofstream(directory_ / "network-config.json") << R"({"portMappings":[)" << mapping(8080) << "]}";
  start_both();
  engine_->run("default", "two", {{"nerdctl/state-dir", directory_.path()}});
  EXPECT_TRUE(publishes({8080}));
  engine_->run("default", "absent", {{"nerdctl/state-dir", "/nowhere/at/all"}});
  engine_->run("b", 8081);
  EXPECT_TRUE(publishes({8080, 8081}));
  EXPECT_EQ(feed_.refusals(), "") << "no file is no trouble";
}

TEST_F(containerd_source_test, a_state_directory_that_is_none_harms_only_itself) {
  engine_->run("a", 8080);
  start_both();
  const auto* config = "network-config.json";
  const auto file = directory_ / "x";
  std::filesystem::create_directory(file);
  const auto in_x = file / "network-config.json";
  const auto label = [](const std::string& path) { return fake_containerd::label_map{{"nerdctl/state-dir", path}}; };
  expect_refused("relative", label("etc"), config);
  expect_refused("device", label("/dev/zero"), config);
  ASSERT_EQ(mkfifo(in_x.c_str(), 0600), 0);
  expect_refused("fifo", label(file), config);
  expect_refused("fifo-itself", label(in_x), config);
  std::filesystem::remove(in_x);
  std::filesystem::create_directory(in_x);
  expect_refused("directory", label(file), config);
  std::filesystem::remove(in_x);
  std::filesystem::create_symlink("/etc/passwd", in_x);
  expect_refused("link", label(file), config);
  std::filesystem::remove(in_x);
  std::ofstream(in_x) << "{";
  ASSERT_EQ(truncate(in_x.c_str(), 1 << 30), 0);
  expect_refused("huge", label(file), config);
  std::filesystem::create_directory_symlink(file, directory_ / "y");
  expect_refused("linked", label(directory_ / "y"), config);
}

class containerd_engine_cases {
 public:
  containerd_engine_cases(const async::executor&, const std::filesystem::path& socket) : engine_(socket) {}
  void start() { engine_.start(); }
  void stop() { engine_.stop(); }
  void run(const std::string& id, std::uint16_t port) { engine_.run(id, port); }
  void end(const std::string& id) { engine_.end("default", id); }
  void announce(const std::string& id) {
    engine_.emit("default", "/tasks/start", std::string("\x0a") + static_cast<char>(id.size()) + id);
  }
  void forget(const std::string& id) { engine_.forget("default", id); }
  void pause(const std::string& id) { engine_.pause("default", id); }
  void set_silent(bool loses_events) { engine_.set_silent(loses_events); }
  void set_hanging(bool never_answers) { engine_.set_hanging(never_answers); }
  [[nodiscard]] bool subscribed() const { return engine_.subscribers() > 0; }
  static std::unique_ptr<ports::source> make_source(const async::executor& where, const std::filesystem::path& socket,
                                                    std::chrono::milliseconds second_list,
                                                    std::chrono::milliseconds deadline) {
    containerd_options o;
    o.socket = socket;
    o.following.second_list = o.following.relist = second_list;
    o.deadline = deadline;
    return std::make_unique<containerd_source>(where, o);
  }

 private:
  fake_containerd engine_;
};

}  // namespace
}  // namespace containerd
namespace engine {
INSTANTIATE_TYPED_TEST_SUITE_P(Containerd, EngineSource, containerd::containerd_engine_cases);
}
