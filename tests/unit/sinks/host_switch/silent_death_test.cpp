// A host-switch with TCP in its own process dies without closing anything. Here its end of the network is removed under
// an open connection, so that no packet is answered any more.
#include <gmock/gmock.h>
#include <unistd.h>

#include "async/timeout.hpp"
#include "http/server.hpp"
#include "ports/reconciler.hpp"
#include "sinks/host_switch/host_switch_sink.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/socket_peer.hpp"

namespace host_switch_peer {
namespace {

using namespace std::chrono_literals;

constexpr auto tap = net::address::v4(192, 168, 127, 2);
constexpr auto gateway = net::address::v4(192, 168, 127, 1);
constexpr auto soon = 4s;  // two seconds, on a busy machine

async::task<http::answer> nothing_held(http::incoming) {
  http::response made;
  made.status = 200;
  made.body = "[]";
  co_return http::answer{std::move(made), {}};
}
async::task<> note_change(host_switch_sink& sink, bool& changed) {
  co_await sink.changed();
  changed = true;
}

class silent_death_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    vm_.emplace("vm");
    host_.emplace("host");
    plug_in();
    auto listener = host_->run([] { return support::bound_socket(SOCK_STREAM, {net::address::any_v4(), 80}); });
    loop_.spawn(http::serve(std::move(listener), nothing_held, {.idle = 1h}));
    in_vm_.emplace(*vm_);
    sink_ = std::make_unique<host_switch_sink>(
        loop_.executor(), host_switch_options{.server = {.host = gateway.to_string()}, .tap = tap, .resync = 1h});
  }
  void TearDown() override {
    loop_.stop();
    sink_.reset();
    in_vm_.reset();
  }
  void plug_in() { support::connect({&*vm_, "eth0", "192.168.127.2/24"}, {&*host_, "vm0", "192.168.127.1/24"}); }
  void unplug() { vm_->ip({"link", "del", "eth0"}); }
  void die() { host_->ip({"addr", "del", "192.168.127.1/24", "dev", "vm0"}); }
  [[nodiscard]] bool list() { return loop_.run(sink_->list()).has_value(); }

  std::optional<support::netns> vm_, host_;
  std::optional<support::inside> in_vm_;
  support::event_loop loop_;
  std::unique_ptr<host_switch_sink> sink_;
};

TEST_F(silent_death_test, of_the_watched_connection_is_noticed_within_two_seconds) {
  ASSERT_TRUE(list());
  bool changed = false;
  loop_.spawn(note_change(*sink_, changed));
  loop_.run_until([] { return false; }, 1500ms);
  EXPECT_FALSE(changed) << "a peer that answers the probes lives";
  const auto died = async::clock::now();
  die();
  EXPECT_TRUE(loop_.run_until([&] { return changed; }));
  EXPECT_LT(async::clock::now() - died, soon);
}

TEST_F(silent_death_test, in_the_middle_of_a_call_is_noticed_within_two_seconds) {
  ASSERT_TRUE(list());
  ASSERT_TRUE(list()) << "the second connection is kept";
  die();
  const auto before = async::clock::now();
  const auto outcomes = loop_.run(sink_->apply({{ports::verb::add, {}}}));
  EXPECT_EQ(outcomes.at(0).kind, ports::outcome_kind::unknown);
  EXPECT_LT(async::clock::now() - before, soon);
}

TEST_F(silent_death_test, the_peer_is_listed_at_once_when_the_tap_comes_back) {
  ASSERT_TRUE(list());
  unplug();
  bool changed = false;
  loop_.spawn(note_change(*sink_, changed));
  loop_.run_until([] { return false; }, 50ms);
  plug_in();
  EXPECT_TRUE(loop_.run_until([&] { return changed; }));
  EXPECT_TRUE(list());
}

TEST_F(silent_death_test, other_addresses_that_come_and_go_are_no_reason_to_list) {
  ASSERT_TRUE(list());
  bool changed = false;
  loop_.spawn(note_change(*sink_, changed));
  for (int i = 0; i < 3; ++i) {
    vm_->ip({"addr", "add", "10.99.0.1/24", "dev", "lo"});
    vm_->ip({"addr", "del", "10.99.0.1/24", "dev", "lo"});
    loop_.run_until([] { return false; }, 250ms);
  }
  EXPECT_FALSE(changed);
}

// While the peer is down it is polled at growing intervals; its return is noticed at once.
TEST_F(silent_death_test, a_reconciler_whose_peer_is_away_lists_at_the_taps_return) {
  unplug();
  ports::reconcile_options patient;
  patient.peer_retry = {10s, 10s, 0.0};
  ports::reconciler reconciler(loop_.executor(), std::move(sink_), std::nullopt, patient);
  loop_.spawn(reconciler.run());
  ASSERT_TRUE(loop_.run_until([&] { return reconciler.machine().listing().failures() > 0; }));
  const auto before = async::clock::now();
  plug_in();
  EXPECT_TRUE(loop_.run_until([&] { return reconciler.machine().listing().status() == ports::peer_status::synced; }));
  EXPECT_LT(async::clock::now() - before, soon);
  const auto died = async::clock::now();
  unplug();
  EXPECT_TRUE(loop_.run_until([&] { return reconciler.machine().listing().failures() > 0; }));
  EXPECT_LT(async::clock::now() - died, soon) << "the connection of the list after its return is watched as well";
  loop_.stop();
}

}  // namespace
}  // namespace host_switch_peer
