// From an API server's Services to what a peer is asked to do, beside a Docker engine: sources, table and reconcilers
// as in the agent, fakes on real sockets at both ends. Ten minutes pass without being waited for.
#include <gmock/gmock.h>

#include <fstream>

#include "programs/guest_agent/controller.hpp"
#include "sources/docker/docker_source.hpp"
#include "sources/kubernetes/kubernetes_source.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/fake_docker.hpp"
#include "tests/support/fake_kubernetes.hpp"
#include "tests/support/memory_sink.hpp"
#include "tests/support/temp_dir.hpp"

namespace guest_agent {
namespace {

using namespace std::chrono_literals;
using ports::source_id;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

class kubernetes_path_test : public testing::Test {
 protected:
  void SetUp() override {
    api_.start();
    engine_.start();
    std::ofstream(directory_ / "k3s.yaml") << api_.kubeconfig();
    for (const auto id : {source_id::docker, source_id::kubernetes}) controller_.enable(id);
    controller_.add_peer(
        ports::peer_role::host,
        std::make_unique<ports::reconciler>(
            loop_.executor(), std::make_unique<support::memory_sink>(loop_.executor(), "host", host_), std::nullopt));
    loop_.spawn(controller_.run());
    loop_.spawn(docker_.run(controller_));
    loop_.spawn(kubernetes_.run(controller_));
  }
  void TearDown() override {
    loop_.stop();
    engine_.stop();
    api_.stop();
  }
  using port_list = std::vector<support::fake_kubernetes::port>;
  void put(const std::string& name, const std::string& type, port_list ports) {
    api_.put({.name = name, .type = type, .ports = std::move(ports)});
  }
  [[nodiscard]] bool holds(const std::set<std::string>& keys) {
    return loop_.run_until([&] { return host_.held == keys; });
  }
  // What the peer is asked to do until it holds that.
  std::vector<std::string> calls_until(const std::set<std::string>& keys) {
    host_.calls.clear();
    EXPECT_TRUE(holds(keys)) << testing::PrintToString(host_.held);
    loop_.settle();
    return host_.calls;
  }
  [[nodiscard]] bool troubled(source_id id) const { return controller_.view().table->source(id).trouble.has_value(); }

  support::temp_dir directory_;
  support::fake_kubernetes api_;
  support::event_loop loop_;
  support::fake_docker engine_{loop_.executor(), directory_ / "docker.sock"};
  support::sink_memory host_;
  controller controller_{loop_.executor(), {ports::network_mode::network_tunnel, true}};
  docker::docker_source docker_{loop_.executor(), docker::options_from_environment(directory_ / "docker.sock").value()};
  kubernetes::kubernetes_source kubernetes_{loop_.executor(), {.kubeconfig = directory_ / "k3s.yaml"}};
};

TEST_F(kubernetes_path_test, only_the_differences_move) {
  put("dns", "LoadBalancer", {{53, 0, "UDP"}, {53, 0, "TCP"}});
  EXPECT_THAT(calls_until({"tcp 0.0.0.0:53", "udp 0.0.0.0:53"}),
              UnorderedElementsAre("+tcp 0.0.0.0:53", "+udp 0.0.0.0:53"));
  put("dns", "LoadBalancer", {{53, 0, "UDP"}, {53, 0, "TCP"}, {54, 0, "TCP"}});
  EXPECT_THAT(calls_until({"tcp 0.0.0.0:53", "udp 0.0.0.0:53", "tcp 0.0.0.0:54"}), ElementsAre("+tcp 0.0.0.0:54"));
  put("dns", "LoadBalancer", {{53, 0, "UDP"}, {53, 0, "TCP"}, {55, 0, "TCP"}});
  EXPECT_THAT(calls_until({"tcp 0.0.0.0:53", "udp 0.0.0.0:53", "tcp 0.0.0.0:55"}),
              UnorderedElementsAre("-tcp 0.0.0.0:54", "+tcp 0.0.0.0:55"));
  put("dns", "LoadBalancer", {{53, 0, "UDP"}, {53, 0, "TCP"}, {55, 0, "UDP"}});
  EXPECT_THAT(calls_until({"tcp 0.0.0.0:53", "udp 0.0.0.0:53", "udp 0.0.0.0:55"}),
              UnorderedElementsAre("-tcp 0.0.0.0:55", "+udp 0.0.0.0:55"));
  put("dns", "LoadBalancer", {{53, 0, "TCP"}});
  EXPECT_THAT(calls_until({"tcp 0.0.0.0:53"}), UnorderedElementsAre("-udp 0.0.0.0:53", "-udp 0.0.0.0:55"));
  put("dns", "ClusterIP", {{53, 0, "TCP"}});
  EXPECT_THAT(calls_until({}), ElementsAre("-tcp 0.0.0.0:53"));
  put("dns", "LoadBalancer", {{53, 0, "TCP"}});
  EXPECT_THAT(calls_until({"tcp 0.0.0.0:53"}), ElementsAre("+tcp 0.0.0.0:53"));
  put("dns", "NodePort", {{53, 30'053, "TCP"}});
  EXPECT_THAT(calls_until({"tcp 0.0.0.0:30053"}), UnorderedElementsAre("-tcp 0.0.0.0:53", "+tcp 0.0.0.0:30053"));
}

// After an outage too, although all is listed anew.
TEST_F(kubernetes_path_test, only_the_differences_move_after_an_outage) {
  for (int i = 0; i < 20; ++i) put("s" + std::to_string(i), "NodePort", {{80, 30'000 + i}});
  ASSERT_TRUE(loop_.run_until([this] { return host_.held.size() == 20; }));
  auto expected = host_.held;
  api_.stop();
  ASSERT_TRUE(loop_.run_until([this] { return troubled(source_id::kubernetes); }));
  api_.remove("s7");
  put("s8", "NodePort", {{80, 31'008}});
  api_.start();
  expected.erase("tcp 0.0.0.0:30007");
  expected.erase("tcp 0.0.0.0:30008");
  expected.insert("tcp 0.0.0.0:31008");
  EXPECT_THAT(calls_until(expected),
              UnorderedElementsAre("-tcp 0.0.0.0:30007", "-tcp 0.0.0.0:30008", "+tcp 0.0.0.0:31008"));
}

enum class outage : std::uint8_t { refused, unavailable, silent, watch_dead };

class ten_minutes_away_test : public kubernetes_path_test, public testing::WithParamInterface<outage> {
 protected:
  void begin_outage() {
    switch (GetParam()) {
      case outage::refused: return api_.stop();
      case outage::unavailable: api_.answer_with(503, "apiserver not ready"); return api_.end_watches();
      case outage::silent: api_.hang(true); return api_.end_watches();
      case outage::watch_dead: api_.freeze_watches(true); return api_.hang(true);
    }
  }
  void end_outage() {
    if (GetParam() == outage::refused) return api_.start();
    api_.answer_with(0);
    api_.freeze_watches(false);
    api_.hang(false);
  }
};

TEST_P(ten_minutes_away_test, other_sources_do_not_notice) {
  put("stays", "NodePort", {{80, 30'080}});
  put("goes", "NodePort", {{80, 30'081}});
  engine_.run("whale", 8'080);
  std::set<std::string> expected{"tcp 0.0.0.0:30080", "tcp 0.0.0.0:30081", "tcp 0.0.0.0:8080"};
  ASSERT_TRUE(holds(expected));
  begin_outage();
  for (int minute = 0; minute < 10; ++minute) {
    for (int seconds = 0; seconds < 60; seconds += 2) {
      loop_.pass_time(2s);
      loop_.settle();
      ASSERT_FALSE(troubled(source_id::docker));
    }
    host_.calls.clear();
    engine_.run("passing", 9'000);
    ASSERT_TRUE(loop_.run_until([this] { return host_.held.contains("tcp 0.0.0.0:9000"); })) << minute;
    engine_.end("passing");
    ASSERT_TRUE(holds(expected)) << minute;
    ASSERT_THAT(host_.calls, ElementsAre("+tcp 0.0.0.0:9000", "-tcp 0.0.0.0:9000")) << "nothing else moves";
  }
  EXPECT_TRUE(troubled(source_id::kubernetes));
  EXPECT_EQ(engine_.subscribers, 1U) << "the same connection all the time";
  api_.remove("goes");
  put("comes", "NodePort", {{80, 30'082}});
  end_outage();
  loop_.pass_time(2s);
  expected.erase("tcp 0.0.0.0:30081");
  expected.insert("tcp 0.0.0.0:30082");
  EXPECT_THAT(calls_until(expected), UnorderedElementsAre("-tcp 0.0.0.0:30081", "+tcp 0.0.0.0:30082"));
  EXPECT_FALSE(troubled(source_id::kubernetes));
}

INSTANTIATE_TEST_SUITE_P(in_each_way, ten_minutes_away_test,
                         testing::Values(outage::refused, outage::unavailable, outage::silent, outage::watch_dead));

}  // namespace
}  // namespace guest_agent
