// The middle of the agent between a source's snapshots and three peers that hold in memory what they are given.
#include "programs/guest_agent/controller.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/support/event_loop.hpp"
#include "tests/support/memory_sink.hpp"

namespace guest_agent {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

using support::memory_sink;
using memory = support::sink_memory;

class controller_test : public testing::Test {
 protected:
  void start(ports::network_mode mode = ports::network_mode::network_tunnel) {
    controller_ = std::make_unique<controller>(loop_.executor(), ports::exposure_options{mode});
    controller_->enable(ports::source_id::docker);
    add(ports::peer_role::host, "host-switch", host_);
    add(ports::peer_role::wsl, "wsl-proxy", wsl_);
    add(ports::peer_role::loopback, "loopback", loopback_);
    loop_.spawn(controller_->run());
  }
  void TearDown() override { loop_.stop(); }
  void add(ports::peer_role role, const char* name, memory& into) {
    auto sink = std::make_unique<memory_sink>(loop_.executor(), name, into);
    controller_->add_peer(role, std::make_unique<ports::reconciler>(loop_.executor(), std::move(sink), std::nullopt));
  }
  static ports::binding on(const char* address, std::uint16_t port) {
    return {net::protocol::tcp, net::address::parse(address).value(), port, 80, "c" + std::to_string(port), ""};
  }
  void publish(std::vector<ports::binding> bindings) {
    controller_->publish(ports::source_id::docker, {std::move(bindings), {}, 1});
  }

  memory host_, wsl_, loopback_;
  support::event_loop loop_;
  std::unique_ptr<controller> controller_;
};

TEST_F(controller_test, every_peer_gets_its_part) {
  start();
  publish({on("0.0.0.0", 8080), on("127.0.0.1", 8081)});
  ASSERT_TRUE(loop_.run_until(
      [this] { return host_.held.size() == 2 && wsl_.held.size() == 2 && loopback_.held.size() == 1; }));
  EXPECT_THAT(host_.held, ElementsAre("tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"));
  EXPECT_THAT(loopback_.held, ElementsAre("tcp 127.0.0.1:8081"));
}

// ---- what is opened on a host is served inside the VM first ----

TEST_F(controller_test, a_port_that_needs_a_loopback_rule_is_opened_at_the_others_behind_it) {
  std::vector<std::string> order;
  host_.journal = wsl_.journal = loopback_.journal = &order;
  start();
  for (std::uint16_t port = 1; port <= 20; ++port) {
    publish({on("127.0.0.1", port)});
    ASSERT_TRUE(loop_.run_until([&] {
      const auto key = "tcp 127.0.0.1:" + std::to_string(port);
      return host_.held.contains(key) && wsl_.held.contains(key);
    }));
  }
  std::map<std::string, std::string> first;  // port: who had it first
  for (const auto& line : order)
    if (line.contains("+")) first.try_emplace(line.substr(line.find('+')), line.substr(0, line.find(' ')));
  EXPECT_THAT(first, testing::SizeIs(20));
  for (const auto& [port, peer] : first) EXPECT_EQ(peer, "loopback") << port;
}

TEST_F(controller_test, a_loopback_sink_that_does_not_answer_holds_a_port_back_for_a_moment_and_no_other) {
  loopback_.hangs = true;
  start();
  loop_.settle();
  publish({on("127.0.0.1", 8081), on("0.0.0.0", 8080)});
  loop_.settle();
  EXPECT_THAT(host_.held, ElementsAre("tcp 0.0.0.0:8080"));
  EXPECT_THAT(wsl_.held, ElementsAre("tcp 0.0.0.0:8080"));
  loop_.pass_time(100ms);
  EXPECT_TRUE(loop_.run_until([&] { return host_.held.size() == 2 && wsl_.held.size() == 2; }));
  EXPECT_THAT(loopback_.held, IsEmpty());
}

// Behaviour 36.
TEST_F(controller_test, a_container_whose_port_of_the_host_is_taken_is_warned_of_once) {
  start();
  const auto log = [this] {
    testing::internal::CaptureStderr();
    publish({on("127.0.0.1", 8080), {net::protocol::tcp, net::address::v4(127, 0, 0, 2), 8080, 80, "c2", "second"}});
    publish({on("127.0.0.1", 8080),
             on("0.0.0.0", 1),
             {net::protocol::tcp, net::address::v4(127, 0, 0, 2), 8080, 80, "c2", "second"}});
    return testing::internal::GetCapturedStderr();
  }();
  const std::string line =
      "tcp 127.0.0.2:8080 of second is not exposed: tcp 127.0.0.1:8080 on the host leads to "
      "127.0.0.1 of c8080";
  EXPECT_NE(log.find(line), std::string::npos) << log;
  EXPECT_EQ(log.find(line), log.rfind(line)) << "once";
  const auto ports = describe(controller_->view()).ports;
  EXPECT_THAT(ports, testing::Contains(testing::Field(&status_document::port::decision, "shadowed")));
}

TEST_F(controller_test, non_admin_mode_binds_to_loopback) {
  start(ports::network_mode::non_admin);
  publish({on("0.0.0.0", 8080), on("0.0.0.0", 80)});
  ASSERT_TRUE(loop_.run_until([this] { return !host_.held.empty(); }));
  EXPECT_THAT(host_.held, ElementsAre("tcp 127.0.0.1:8080"));
}

TEST_F(controller_test, what_is_not_exposed_is_warned_of_once) {
  start(ports::network_mode::non_admin);
  const auto warned = [this](std::vector<ports::binding> bindings) {
    testing::internal::CaptureStderr();
    publish(std::move(bindings));
    const auto log = testing::internal::GetCapturedStderr();
    std::string ports;
    for (auto at = log.find(" WARN "); at != std::string::npos; at = log.find(" WARN ", at + 1))
      ports += log.substr(at + 6, log.find(" is not exposed", at) - at - 6) + "\n";
    return ports;
  };
  EXPECT_EQ(warned({on("0.0.0.0", 80), on("0.0.0.0", 8080)}), "policy: tcp 127.0.0.1:80 of c80\n");
  EXPECT_EQ(warned({on("0.0.0.0", 80), on("0.0.0.0", 8080)}), "");
  EXPECT_EQ(warned({on("0.0.0.0", 80), on("0.0.0.0", 81)}), "policy: tcp 127.0.0.1:81 of c81\n");
  EXPECT_EQ(warned({on("0.0.0.0", 81)}), "");
  EXPECT_EQ(warned({on("0.0.0.0", 80), on("0.0.0.0", 81)}), "policy: tcp 127.0.0.1:80 of c80\n") << "it went and came";
}

TEST_F(controller_test, with_a_trace_each_change_has_a_line_for_each_peer_and_without_one_none) {
  for (const bool traced : {false, true}) {
    controller_ = std::make_unique<controller>(loop_.executor(), ports::exposure_options{});
    if (traced) controller_->trace_to(std::make_shared<ports::change_trace>());
    add(ports::peer_role::host, "host-switch", host_);
    add(ports::peer_role::wsl, "wsl-proxy", wsl_);
    loop_.spawn(controller_->run());
    testing::internal::CaptureStderr();
    publish({on("0.0.0.0", 8080)});
    EXPECT_TRUE(loop_.run_until([this] { return host_.held.size() == 1 && wsl_.held.size() == 1; }));
    loop_.settle();
    publish({});
    EXPECT_TRUE(loop_.run_until([this] { return host_.held.empty() && wsl_.held.empty(); }));
    loop_.settle();
    const std::string log = testing::internal::GetCapturedStderr();
    for (const auto* line :
         {"trace: expose tcp 0.0.0.0:8080 peer=host-switch owner=c8080 outcome=done plan_us=",
          "trace: expose tcp 0.0.0.0:8080 peer=wsl-proxy ", "trace: unexpose tcp 0.0.0.0:8080 peer="})
      EXPECT_EQ(log.contains(line), traced) << line << "\n" << log;
    loop_.stop();
  }
}

TEST_F(controller_test, no_client_can_fill_the_log) {
  start(ports::network_mode::non_admin);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 200; ++i) {
    publish({on("0.0.0.0", static_cast<std::uint16_t>(1 + i))});  // refused: below 1024
    controller_->degraded(ports::source_id::docker, {{}, "reason " + std::to_string(i)});
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("is not exposed"));
  EXPECT_THAT(log, testing::HasSubstr("not available"));
  EXPECT_LT(std::ranges::count(log, '\n'), 60);
}

TEST_F(controller_test, a_degraded_source_leaves_the_ports_alone) {
  start();
  publish({on("0.0.0.0", 8080)});
  ASSERT_TRUE(loop_.run_until([this] { return host_.held.size() == 1; }));
  controller_->degraded(ports::source_id::docker, {{}, "the engine is gone"});
  loop_.run_until([] { return false; }, 20ms);
  EXPECT_THAT(host_.held, testing::SizeIs(1));
  EXPECT_TRUE(controller_->view().table->source(ports::source_id::docker).trouble);
}

TEST_F(controller_test, drain_empties_every_peer_and_closes_it) {
  start();
  publish({on("127.0.0.1", 8080)});
  ASSERT_TRUE(loop_.run_until(
      [this] { return host_.held.size() == 1 && wsl_.held.size() == 1 && loopback_.held.size() == 1; }));
  loop_.spawn(controller_->drain(async::clock::now() + 5s));
  ASSERT_TRUE(loop_.run_until([this] { return host_.closed && wsl_.closed && loopback_.closed; }));
  EXPECT_THAT(host_.held, IsEmpty());
  EXPECT_THAT(wsl_.held, IsEmpty());
  EXPECT_THAT(loopback_.held, IsEmpty());
}

// A container without ports comes or goes: of interest to the status alone.
TEST_F(controller_test, what_no_plan_depends_on_is_announced_and_nothing_else) {
  start();
  publish({on("0.0.0.0", 8080)});
  ASSERT_TRUE(loop_.run_until([this] { return host_.held.size() == 1 && wsl_.held.size() == 1; }));
  const auto before = controller_->changes(), work = controller_->work();
  const auto* planned = controller_->view().plan->ports.data();
  ports::snapshot next;
  next.bindings = {on("0.0.0.0", 8080)};
  next.epoch = 1;
  next.without_ports = {{"c9", "job"}};
  controller_->publish(ports::source_id::docker, next);
  EXPECT_GT(controller_->changes(), before);
  EXPECT_EQ(controller_->view().plan->ports.data(), planned) << "no other plan was made";
  EXPECT_EQ(controller_->work(), work);
  EXPECT_EQ(describe(controller_->view()).sources.at(0).without_ports.size(), 1U);
}

TEST_F(controller_test, a_peer_that_is_away_is_no_work) {
  wsl_.away = true;
  start();
  publish({on("0.0.0.0", 8080)});
  ASSERT_TRUE(loop_.run_until([this] { return host_.held.size() == 1; }));
  const auto before = controller_->changes(), work = controller_->work();
  ASSERT_TRUE(loop_.run_until([&] { return controller_->changes() > before + 1; })) << "tries that failed";
  EXPECT_EQ(controller_->work(), work);
  wsl_.away = false;
  ASSERT_TRUE(loop_.run_until([this] { return wsl_.held.size() == 1; }));
  EXPECT_GT(controller_->work(), work);
}

TEST_F(controller_test, changes_of_the_status_are_announced) {
  start();
  unsigned changes = 0;
  auto count = [](controller& middle, unsigned& into) -> async::task<> {
    while (true) {
      co_await middle.changed().wait();
      ++into;
    }
  };
  loop_.spawn(count(*controller_, changes));
  loop_.run_until([] { return false; }, 20ms);
  const auto before = changes;
  publish({on("0.0.0.0", 8080)});
  EXPECT_TRUE(loop_.run_until([&] { return changes > before && host_.held.size() == 1; }));
}

}  // namespace
}  // namespace guest_agent
