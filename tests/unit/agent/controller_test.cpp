// The middle of the agent between a source's snapshots and three peers that hold in memory what they are given.
#include "agent/controller.hpp"

#include <gmock/gmock.h>

#include "tests/support/event_loop.hpp"
#include "tests/support/memory_sink.hpp"

namespace agent {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

using support::memory_sink;
using memory = support::sink_memory;

class Controller : public testing::Test {
 protected:
  void start(ports::network_mode mode = ports::network_mode::network_tunnel) {
    middle_ = std::make_unique<controller>(loop_.executor(), ports::exposure_options{mode});
    middle_->enable(ports::source_id::docker);
    add(peer_role::host, "host-switch", host_);
    add(peer_role::wsl, "wsl-proxy", wsl_);
    add(peer_role::loopback, "loopback", loopback_);
    loop_.spawn(middle_->run());
  }
  void TearDown() override { loop_.stop(); }
  void add(peer_role role, const char* name, memory& into) {
    auto sink = std::make_unique<memory_sink>(loop_.executor(), name, into);
    middle_->add_peer(role, std::make_unique<ports::reconciler>(loop_.executor(), std::move(sink), std::nullopt));
  }
  static ports::binding on(const char* address, std::uint16_t port) {
    return {net::protocol::tcp, net::address::parse(address).value(), port, 80, "c" + std::to_string(port), ""};
  }
  void publish(std::vector<ports::binding> bindings) {
    middle_->publish(ports::source_id::docker, {std::move(bindings), {}, 1});
  }

  memory host_, wsl_, loopback_;
  support::event_loop loop_;
  std::unique_ptr<controller> middle_;
};

TEST_F(Controller, EveryPeerGetsItsPart) {
  start();
  publish({on("0.0.0.0", 8080), on("127.0.0.1", 8081)});
  ASSERT_TRUE(loop_.run_until(
      [this] { return host_.held.size() == 2 && wsl_.held.size() == 2 && loopback_.held.size() == 1; }));
  EXPECT_THAT(host_.held, ElementsAre("tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"));
  EXPECT_THAT(loopback_.held, ElementsAre("tcp 127.0.0.1:8081"));
}

TEST_F(Controller, NonAdminModeBindsToLoopback) {
  start(ports::network_mode::non_admin);
  publish({on("0.0.0.0", 8080), on("0.0.0.0", 80)});
  ASSERT_TRUE(loop_.run_until([this] { return !host_.held.empty(); }));
  EXPECT_THAT(host_.held, ElementsAre("tcp 127.0.0.1:8080"));
}

TEST_F(Controller, WhatIsNotExposedIsWarnedOfOnce) {
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

TEST_F(Controller, ADegradedSourceLeavesThePortsAlone) {
  start();
  publish({on("0.0.0.0", 8080)});
  ASSERT_TRUE(loop_.run_until([this] { return host_.held.size() == 1; }));
  middle_->degraded(ports::source_id::docker, {{}, "the engine is gone"});
  loop_.run_until([] { return false; }, 20ms);
  EXPECT_THAT(host_.held, testing::SizeIs(1));
  EXPECT_TRUE(middle_->view().table->source(ports::source_id::docker).trouble);
}

TEST_F(Controller, DrainEmptiesEveryPeerAndClosesIt) {
  start();
  publish({on("127.0.0.1", 8080)});
  ASSERT_TRUE(loop_.run_until(
      [this] { return host_.held.size() == 1 && wsl_.held.size() == 1 && loopback_.held.size() == 1; }));
  loop_.spawn(middle_->drain(io::clock::now() + 5s));
  ASSERT_TRUE(loop_.run_until([this] { return host_.closed && wsl_.closed && loopback_.closed; }));
  EXPECT_THAT(host_.held, IsEmpty());
  EXPECT_THAT(wsl_.held, IsEmpty());
  EXPECT_THAT(loopback_.held, IsEmpty());
}

TEST_F(Controller, ChangesOfTheStatusAreAnnounced) {
  start();
  unsigned changes = 0;
  auto count = [](controller& middle, unsigned& into) -> io::task<> {
    while (true) {
      co_await middle.changed().wait();
      ++into;
    }
  };
  loop_.spawn(count(*middle_, changes));
  loop_.run_until([] { return false; }, 20ms);
  const auto before = changes;
  publish({on("0.0.0.0", 8080)});
  EXPECT_TRUE(loop_.run_until([&] { return changes > before && host_.held.size() == 1; }));
}

}  // namespace
}  // namespace agent
