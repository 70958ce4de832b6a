#include "sinks/port_mapping/tunnel_monitor.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <optional>

#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fake_tunnel.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/raw_server.hpp"

namespace port_mapping_peer {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class tunnel_monitor_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }
  // A peer that drops its connections is checked again after an hour.
  void watch(net::endpoint peer) {
    monitor_.emplace(
        loop_.executor(),
        tunnel_monitor_options{.peer = peer, .interface = "lo", .breaks_within = 300ms, .between_checks = 1h});
  }
  base::result<std::string> check() { return loop_.run(monitor_->check()); }
  // Begins to wait for a change; `changed_` shows whether it came.
  void wait_for_change() {
    changed_ = false;
    loop_.spawn(wait(*monitor_, changed_));
    loop_.settle();
    ASSERT_FALSE(changed_) << "nothing has changed yet";
  }
  static async::task<> wait(tunnel_monitor& monitor, bool& changed) {
    co_await monitor.changed();
    changed = true;
  }
  bool changes() {
    return loop_.run_until([this] { return changed_; });
  }
  static bool stand(const support::fake_tunnel& tunnel, std::size_t count) {
    return support::eventually(10s, [&] { return tunnel.standing() == count; });
  }

  support::event_loop loop_;
  std::optional<tunnel_monitor> monitor_;
  bool changed_ = false;
};

TEST_F(tunnel_monitor_test, one_connection_stands_and_nothing_is_sent_on_it) {
  const support::fake_tunnel tunnel;
  watch(tunnel.at());
  const auto first = check();
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_THAT(*first, HasSubstr("connection 1 to 127.0.0.1/8"));
  EXPECT_EQ(check(), first) << "the same peer";
  EXPECT_TRUE(stand(tunnel, 1));
  EXPECT_TRUE(tunnel.received().empty());
  EXPECT_FALSE(monitor_->addresses().empty());
}

TEST_F(tunnel_monitor_test, a_tunnel_that_accepts_and_leads_nowhere_is_no_peer) {
  support::fake_tunnel tunnel;
  tunnel.lead_nowhere(true);
  watch(tunnel.at());
  const auto failed = check();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, std::errc::connection_aborted);
  EXPECT_TRUE(monitor_->addresses().empty()) << "as of the last check that succeeded";
  EXPECT_FALSE(loop_.run(monitor_->is_alive(false)));
}

TEST_F(tunnel_monitor_test, the_peer_behind_the_next_connection_counts_as_another_one) {
  support::fake_tunnel tunnel;
  watch(tunnel.at());
  const auto before = check();
  ASSERT_TRUE(before);
  monitor_->suspect();
  EXPECT_TRUE(stand(tunnel, 0)) << "it is closed at once";
  const auto after = check();
  ASSERT_TRUE(after) << after.error().message();
  EXPECT_NE(after, before);
  EXPECT_TRUE(stand(tunnel, 1));
}

TEST_F(tunnel_monitor_test, a_message_that_was_reset_has_reached_the_peer_while_the_tunnel_stands) {
  support::fake_tunnel tunnel;
  watch(tunnel.at());
  ASSERT_TRUE(check());
  EXPECT_TRUE(loop_.run(monitor_->is_alive(false)));
  EXPECT_TRUE(loop_.run(monitor_->is_alive(true)));
  tunnel.break_all();
  EXPECT_FALSE(loop_.run(monitor_->is_alive(true)));
}

TEST_F(tunnel_monitor_test, a_peer_that_keeps_dropping_its_connection_is_not_checked_all_the_time) {
  support::fake_tunnel tunnel;
  watch(tunnel.at());
  ASSERT_TRUE(check());
  wait_for_change();
  tunnel.break_all();
  ASSERT_FALSE(loop_.run(monitor_->is_alive(true)));
  loop_.settle();
  EXPECT_FALSE(changed_) << "the last check was just now";
  loop_.pass_time(1h);
  EXPECT_TRUE(changes());
}

TEST_F(tunnel_monitor_test, unexpected_bytes_are_dropped) {
  const support::raw_server talker({.answer = std::string(100'000, 'g'), .hangs = true, .reads = false});
  watch({net::address::loopback_v4(), talker.port()});
  const auto first = check();
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(check(), first);
  EXPECT_EQ(talker.connections(), 1U);
}

TEST_F(tunnel_monitor_test, another_address_of_the_interface_makes_another_peer) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("tunnel");
  const support::inside here(place);
  {
    const support::fake_tunnel tunnel;
    watch(tunnel.at());
    const auto before = check();
    ASSERT_TRUE(before) << before.error().message();
    wait_for_change();
    place.ip({"address", "add", "10.9.9.9/24", "dev", "lo"});
    EXPECT_TRUE(changes()) << "although the connection stands";
    const auto after = check();
    ASSERT_TRUE(after) << after.error().message();
    EXPECT_NE(after, before);
    EXPECT_THAT(*after, HasSubstr("10.9.9.9/24"));
    EXPECT_THAT(monitor_->addresses(),
                testing::Contains(port_mapping::connect_address{net::address::v4(10, 9, 9, 9), 24}));
    EXPECT_EQ(tunnel.standing(), 1U) << "on the same connection";
    loop_.stop();
    monitor_.reset();
  }
}

}  // namespace
}  // namespace port_mapping_peer
