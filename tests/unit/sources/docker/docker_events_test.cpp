// The source's reaction to events, and its delay, with an engine that names them differently, loses them, or does not
// answer.
#include <gmock/gmock.h>

#include <random>

#include "sources/docker/docker_source.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/fake_docker.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/temp_dir.hpp"

namespace docker {
namespace {

using namespace std::chrono_literals;

class docker_events_test : public testing::Test {
 protected:
  void TearDown() override {
    loop_.stop();
    source_.reset();
    engine_.stop();
    loop_.settle();
  }
  void start(std::chrono::milliseconds relist = 1h) {
    engine_.start();
    docker_options o;
    o.engine.path = directory_ / "docker.sock";
    o.following.second_list = o.following.relist = relist;
    source_ = std::make_unique<docker_source>(loop_.executor(), o);
    loop_.spawn(source_->run(feed_));
  }
  void start_with(const std::string& id, std::uint16_t port) {
    engine_.run(id, port);
    start();
    ASSERT_TRUE(publishes({port}));
    ASSERT_TRUE(loop_.run_until([this] { return engine_.subscribers > 0; }));
  }
  [[nodiscard]] bool publishes(const std::set<std::uint16_t>& ports, std::chrono::milliseconds limit = 10s) {
    return loop_.run_until([&] { return feed_.host_ports() == ports; }, limit);
  }
  // Its ports change while it runs.
  void give_ports(const std::string& id, std::uint16_t port) {
    const bool was = std::exchange(engine_.silent, true);
    engine_.run(id, port);
    engine_.silent = was;
  }

  support::event_loop loop_;
  support::temp_dir directory_;
  support::fake_docker engine_{loop_.executor(), directory_ / "docker.sock"};
  support::recording_feed feed_;
  std::unique_ptr<docker_source> source_;
};

TEST_F(docker_events_test, a_container_that_is_connected_to_a_network_is_asked_about) {
  start_with("a", 8080);
  give_ports("a", 8081);
  engine_.emit_of_network("connect", "a");
  EXPECT_TRUE(publishes({8081}));
  give_ports("a", 8082);
  engine_.emit_of_network("disconnect", "a");
  EXPECT_TRUE(publishes({8082}));
}

TEST_F(docker_events_test, whatever_may_have_changed_a_container_is_a_question) {
  start_with("a", 8080);
  std::uint16_t port = 8080;
  for (const auto* name : {"start", "restart", "rename", "update", "pause", "unpause", "restore"}) {
    give_ports("a", ++port);
    engine_.emit(name, "a");
    EXPECT_TRUE(publishes({port})) << name;
  }
  engine_.containers["a"].name = "renamed";
  engine_.emit("rename", "a");
  EXPECT_TRUE(loop_.run_until([this] { return feed_.last->bindings[0].owner_name == "renamed"; }));
}

// podman says `connect` of the container itself.
TEST_F(docker_events_test, the_actor_of_a_networks_event_may_be_the_container) {
  start_with("a", 8080);
  give_ports("a", 8081);
  engine_.emit_text(R"({"Type":"network","Action":"connect","Actor":{"ID":"a","Attributes":{"name":"web"}}})");
  EXPECT_TRUE(publishes({8081}));
}

TEST_F(docker_events_test, an_end_is_known_by_every_name) {
  start_with("a", 8080);
  for (const auto* name : {"die", "died", "remove", "destroy"}) {
    give_ports("a", 8080);
    engine_.emit("start", "a");
    ASSERT_TRUE(publishes({8080}));
    const auto asked = engine_.inspects;
    engine_.emit(name, "a");
    EXPECT_TRUE(publishes({})) << name;
    EXPECT_EQ(engine_.inspects, asked) << "an end needs no question";
  }
}

TEST_F(docker_events_test, the_engine_is_asked_for_every_name_that_is_understood) {
  start_with("a", 8080);
  const auto events = std::ranges::find_if(engine_.targets, [](const auto& t) { return t.contains("/events?"); });
  ASSERT_NE(events, engine_.targets.end());
  for (const auto* name : {"start", "restart", "rename", "update", "pause", "unpause", "connect", "disconnect", "die",
                           "died", "stop", "remove", "destroy", "container", "network", "service"})
    EXPECT_THAT(*events, testing::HasSubstr("%22" + std::string(name) + "%22"));
}

// Docker says `stop` after `die`; between the two the container may have been started.
TEST_F(docker_events_test, a_late_stop_does_not_hide_a_container_that_runs_again) {
  start_with("a", 8080);
  const auto asked = engine_.inspects;
  engine_.emit("stop", "a");
  ASSERT_TRUE(loop_.run_until([&] { return engine_.inspects > asked; }));
  EXPECT_TRUE(publishes({8080}));
}

// Of a range podman lists the first port alone.
TEST_F(docker_events_test, podmans_list_is_not_believed_about_ports) {
  engine_.is_podman = true;
  engine_.run("a", 8080);
  start(100ms);
  ASSERT_TRUE(publishes({8080}));
  const auto lists = engine_.lists;
  ASSERT_TRUE(loop_.run_until([&] { return engine_.lists > lists + 1; }));
  EXPECT_TRUE(publishes({8080}));
  EXPECT_EQ(feed_.refusals(), "");
}

TEST_F(docker_events_test, a_stream_without_a_header_is_no_reason_not_to_list) {
  engine_.holds_header = true;
  engine_.run("a", 8080);
  const auto before = async::clock::now();
  start();
  EXPECT_TRUE(publishes({8080}));
  EXPECT_LT(async::clock::now() - before, 3s);
  EXPECT_EQ(engine_.subscribers, 0U);
  engine_.run("b", 8081);
  EXPECT_TRUE(publishes({8080, 8081})) << "the first event brings the header";
  EXPECT_EQ(feed_.troubles, 0U);
}

TEST_F(docker_events_test, while_the_stream_is_silent_from_the_start_the_list_is_read_often) {
  engine_.holds_header = true;
  engine_.silent = true;
  start();
  ASSERT_TRUE(publishes({}));
  engine_.run("a", 8080);
  loop_.pass_time(31s);
  EXPECT_TRUE(publishes({8080}));
}

TEST_F(docker_events_test, a_reason_for_which_events_are_refused_is_reported) {
  engine_.refused_events = http::text_response(403, "authorization denied by plugin strict");
  start();
  ASSERT_TRUE(loop_.run_until([this] { return feed_.trouble.has_value(); }));
  EXPECT_THAT(feed_.trouble->message(), testing::HasSubstr("403"));
  EXPECT_THAT(feed_.trouble->message(), testing::HasSubstr("denied by plugin strict"));
}

TEST_F(docker_events_test, questions_that_hang_hold_up_no_other) {
  start_with("a", 8080);
  for (int i = 0; i < 9; ++i) {
    engine_.hung.insert("0hung" + std::to_string(i));  // before all others in any order of names
    engine_.run("0hung" + std::to_string(i), static_cast<std::uint16_t>(9000 + i));
  }
  engine_.run("new", 8081);
  const auto new_is_known = [this] { return feed_.host_ports() == std::set<std::uint16_t>{8080, 8081}; };
  auto passed = 0ms;
  for (; !loop_.run_until(new_is_known, 50ms) && passed < 60s; passed += 500ms) loop_.pass_time(500ms);
  EXPECT_LE(passed, 8s) << "nine questions, four at a time, two seconds each";
  EXPECT_THAT(feed_.refusals(), testing::HasSubstr("0hung0: container: the engine does not report its state"));
  engine_.run("newer", 8082);
  EXPECT_TRUE(publishes({8080, 8081, 8082}, 2s)) << "retries leave room";
  engine_.hung.clear();
  for (passed = 0ms; feed_.last->bindings.size() < 12 && passed < 60s; passed += 500ms) {
    loop_.pass_time(500ms);
    loop_.run_until([] { return false; }, 5ms);
  }
  EXPECT_EQ(feed_.last->bindings.size(), 12U);
  EXPECT_EQ(feed_.refusals(), "");
}

// Of a swarm.
constexpr auto manager = R"({"LocalNodeState":"active","ControlAvailable":true})";
std::string service(const std::string& id, unsigned port, bool assigned = true) {
  const auto ports = R"("Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":)" + std::to_string(port) +
                     R"(,"PublishMode":"ingress"}])";
  return R"({"ID":")" + id + R"(","Spec":{"Name":"web","EndpointSpec":{)" + ports + R"(}},"Endpoint":{)" +
         (assigned ? ports : "") + "}}";
}

TEST_F(docker_events_test, ports_of_a_swarms_services_are_published) {
  engine_.swarm = manager;
  engine_.services["s"] = service("s", 9000);
  start();
  EXPECT_TRUE(publishes({9000}));
  EXPECT_EQ(feed_.last->bindings[0].owner, "service/s");
  EXPECT_EQ(feed_.last->bindings[0].owner_name, "web");
  EXPECT_EQ(feed_.last->bindings[0].host_address, net::address::any_v4());
  engine_.services["t"] = service("t", 9001, false);
  engine_.emit_text(R"({"Type":"service","Action":"create","Actor":{"ID":"t","Attributes":{"name":"web"}}})");
  ASSERT_TRUE(loop_.run_until([this] { return feed_.refusals().contains("service/t"); }));
  engine_.services["t"] = service("t", 9001);
  EXPECT_TRUE(publishes({9000, 9001})) << "once its ports are assigned";
  engine_.services.erase("s");
  engine_.emit_text(R"({"Type":"service","Action":"remove","Actor":{"ID":"s","Attributes":{"name":"web"}}})");
  EXPECT_TRUE(publishes({9001}));
}

TEST_F(docker_events_test, a_node_that_joins_or_leaves_a_swarm_is_listed_soon) {
  start_with("a", 8080);
  engine_.swarm = manager;
  engine_.services["s"] = service("s", 9000);
  engine_.emit_text(R"({"Type":"network","Action":"create","Actor":{"ID":"i","Attributes":{"type":"overlay"}}})");
  EXPECT_TRUE(publishes({8080, 9000}));
  engine_.swarm = R"({"LocalNodeState":"inactive"})";
  engine_.emit_text(R"({"Type":"network","Action":"remove","Actor":{"ID":"i","Attributes":{"type":"overlay"}}})");
  EXPECT_TRUE(publishes({8080}));
}

TEST_F(docker_events_test, services_that_are_not_known_stay_and_harm_no_container) {
  engine_.swarm = manager;
  engine_.services["s"] = service("s", 9000);
  start(100ms);
  ASSERT_TRUE(publishes({9000}));
  engine_.swarm = R"({"LocalNodeState":"locked"})";
  ASSERT_TRUE(loop_.run_until([this] { return feed_.refusals().contains("manager"); }));
  engine_.run("a", 8080);
  EXPECT_TRUE(publishes({8080, 9000}));
  EXPECT_EQ(feed_.troubles, 0U);
}

// Random misbehaviour, then none: the time until the ports are right has a bound.
class misbehaviour {
 public:
  misbehaviour(support::fake_docker& engine, unsigned seed) : engine_(engine), random_(seed) {}
  void step() {
    const std::string id(1, static_cast<char>('a' + random_() % 5));
    switch (random_() % 9) {
      case 0: engine_.end_streams(); break;
      case 1: engine_.silent = !engine_.silent; break;
      case 2: engine_.hung.insert(id); break;
      case 3: engine_.hung.clear(); break;
      case 4: engine_.instead[id] = http::text_response(500, "odd"); break;
      case 5: engine_.holds_header = !engine_.holds_header; break;
      case 6: engine_.emit(random_() % 2 == 0 ? "stop" : "exec_start: x", id); break;
      case 7:
        engine_.containers[id].running = false;
        engine_.emit(random_() % 2 == 0 ? "died" : "remove", id);
        break;
      default: engine_.run(id, static_cast<std::uint16_t>(8000 + random_() % 1000)); break;
    }
  }
  void end() {
    engine_.silent = engine_.holds_header = false;
    engine_.hung.clear();
    engine_.instead.clear();
    engine_.end_streams();
  }
  [[nodiscard]] std::set<std::uint16_t> truth() const {
    std::set<std::uint16_t> ports;
    for (const auto& [id, c] : engine_.containers)
      if (c.running)
        ports.insert(static_cast<std::uint16_t>(std::stoi(c.ports_json.substr(c.ports_json.find("Port\":\"") + 7))));
    return ports;
  }

 private:
  support::fake_docker& engine_;
  std::mt19937 random_;
};

TEST_F(docker_events_test, however_the_engine_misbehaves_the_ports_are_right_soon_afterwards) {
  constexpr auto relist = 20'000ms;
  start(relist);
  for (unsigned seed = 1; seed <= 8; ++seed) {
    misbehaviour odd(engine_, seed);
    for (int i = 0; i < 20; ++i) {
      odd.step();
      loop_.pass_time(100ms);
      loop_.run_until([] { return false; }, 2ms);
    }
    odd.end();
    auto passed = 0ms;
    const auto right = [&] { return feed_.host_ports() == odd.truth(); };
    for (; !loop_.run_until(right, 20ms) && passed < 5min; passed += 500ms) loop_.pass_time(500ms);
    ASSERT_LE(passed, relist + 12s) << "one list, and a question that hung; seed " << seed;
  }
}

}  // namespace
}  // namespace docker
