#include "sinks/port_mapping/socket_monitor.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/fake_wsl_proxy.hpp"
#include "tests/support/temp_dir.hpp"

namespace port_mapping_peer {
namespace {

using namespace std::chrono_literals;

class socket_monitor_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }
  base::result<std::string> check() { return loop_.run(monitor_.check()); }
  // Begins to wait for a change; `changed_` shows whether it came.
  void wait_for_change() {
    changed_ = false;
    loop_.spawn(wait(monitor_, changed_));
    loop_.settle();
    ASSERT_FALSE(changed_) << "nothing has changed yet";
  }
  static async::task<> wait(socket_monitor& monitor, bool& changed) {
    co_await monitor.changed();
    changed = true;
  }
  bool changes() {
    return loop_.run_until([this] { return changed_; });
  }

  support::temp_dir directory_;
  std::filesystem::path socket_ = directory_ / "proxy.sock";
  support::fake_wsl_proxy proxy_{socket_};
  support::event_loop loop_;
  socket_monitor monitor_{loop_.executor(), {.path = socket_, .resync = 1h}};
  bool changed_ = false;
};

TEST_F(socket_monitor_test, a_peer_without_a_socket_is_down) {
  EXPECT_EQ(check().error().code, std::errc::no_such_file_or_directory);
  std::ofstream(socket_) << "a file";
  EXPECT_EQ(check().error().code, std::errc::not_a_socket);
  std::filesystem::remove(socket_);
  std::filesystem::create_directory(socket_);
  EXPECT_EQ(check().error().code, std::errc::not_a_socket);
}

TEST_F(socket_monitor_test, a_socket_that_was_bound_again_is_another_peer) {
  proxy_.start();
  const auto first = check();
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(check(), first);
  proxy_.start();
  const auto second = check();
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_NE(second, first);
}

// The Go wsl-proxy logs an error for every connection without a message.
TEST_F(socket_monitor_test, connects_only_after_a_message_has_failed) {
  proxy_.start();
  ASSERT_TRUE(check());
  ASSERT_TRUE(check());
  monitor_.suspect();
  ASSERT_TRUE(check());
  ASSERT_TRUE(check()) << "the suspicion has gone";
  EXPECT_TRUE(support::eventually(10s, [this] { return proxy_.bad_connections() == 1; }));
}

TEST_F(socket_monitor_test, a_suspected_peer_that_takes_no_connection_is_down_until_it_does) {
  proxy_.start();
  ASSERT_TRUE(check());
  proxy_.crash();
  EXPECT_TRUE(check()) << "its socket is still there";
  monitor_.suspect();
  EXPECT_EQ(check().error().code, std::errc::connection_refused);
  EXPECT_EQ(check().error().code, std::errc::connection_refused) << "it stays suspected";
  proxy_.start();
  EXPECT_TRUE(check()) << "another one";
}

TEST_F(socket_monitor_test, the_suspicion_is_about_one_peer) {
  proxy_.start();
  monitor_.suspect();
  proxy_.start();
  ASSERT_TRUE(check());
  proxy_.stop();
  EXPECT_EQ(proxy_.bad_connections(), 0U) << "the next one has failed no message";
}

TEST_F(socket_monitor_test, notices_that_the_socket_comes_goes_and_is_bound_again) {
  ASSERT_FALSE(check());
  wait_for_change();
  proxy_.start();
  EXPECT_TRUE(changes());
  ASSERT_TRUE(check());
  wait_for_change();
  proxy_.start();
  EXPECT_TRUE(changes());
  ASSERT_TRUE(check());
  wait_for_change();
  proxy_.stop();
  EXPECT_TRUE(changes());
}

TEST_F(socket_monitor_test, an_event_about_another_file_is_no_change) {
  proxy_.start();
  ASSERT_TRUE(check());
  wait_for_change();
  std::ofstream(directory_ / "beside") << "another file";
  loop_.settle();
  EXPECT_FALSE(changed_);
  std::filesystem::rename(directory_ / "beside", socket_);
  EXPECT_TRUE(changes()) << "a file in its place";
}

// A peer that stayed up but took no message gives no event when it takes messages again.
TEST_F(socket_monitor_test, a_suspected_peer_is_checked_every_second) {
  proxy_.start();
  proxy_.crash();
  socket_monitor later(loop_.executor(), {.path = socket_, .resync = 1h});  // no event of the start is left for it
  later.suspect();
  ASSERT_FALSE(loop_.run(later.check()));
  loop_.spawn(wait(later, changed_));
  loop_.settle();
  EXPECT_FALSE(changed_);
  loop_.pass_time(1s);
  EXPECT_TRUE(changes());
  loop_.stop();
}

TEST_F(socket_monitor_test, a_peer_that_is_trusted_is_not_checked_every_second) {
  proxy_.start();
  ASSERT_TRUE(check());
  wait_for_change();
  loop_.pass_time(1s);
  loop_.settle();
  EXPECT_FALSE(changed_);
}

TEST_F(socket_monitor_test, a_reset_is_no_sign_of_an_end) {
  proxy_.start();
  ASSERT_TRUE(check());
  EXPECT_TRUE(loop_.run(monitor_.is_alive(true)));
  EXPECT_TRUE(loop_.run(monitor_.is_alive(false)));
  EXPECT_TRUE(monitor_.addresses().empty()) << "the peer is in the VM";
  EXPECT_TRUE(monitor_.announces_return());
}

}  // namespace
}  // namespace port_mapping_peer
