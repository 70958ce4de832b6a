// When udhcpc gets SIGUSR1: a script in its place writes a word for each signal, and the test lets the time pass.
#include "programs/vm_switch/dhcp_client.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/read_file.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace vm_switch {
namespace {

using namespace std::chrono_literals;

class dhcp_client_test : public testing::Test {
 protected:
  void SetUp() override {
    const auto program = directory_ / "udhcpc";
    // A shell that has both signals runs the trap of SIGUSR1, which has the lower number, first.
    std::ofstream(program) << "#!/bin/sh\ntrap 'printf \"renew \" >>" << log().string()
                           << "' USR1\ntrap 'printf \"end \" >>" << log().string()
                           << "; exit 0' TERM\nprintf \"start \" >>" << log().string()
                           << "\nwhile :; do sleep 0.02; done\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    path_before_ = ::getenv("PATH");
    ::setenv("PATH", (directory_.path().string() + ":" + path_before_).c_str(), 1);
    loop_.spawn(client_.run());
    loop_.spawn(client_.renew_regularly());
    ASSERT_TRUE(logged("start "));
  }
  void TearDown() override {
    loop_.stop();
    ::setenv("PATH", path_before_.c_str(), 1);
  }
  [[nodiscard]] std::filesystem::path log() const { return directory_ / "log"; }
  [[nodiscard]] std::string written() const { return base::read_file(log()).value_or(""); }
  bool logged(const std::string& all) {
    return loop_.run_until([&] { return written() == all; });
  }
  // Ends the script, which first writes the signals that it has. It may have begun again.
  bool ends_with(const std::string& all) {
    client_.restart();
    return loop_.run_until([&] { return written().starts_with(all + "end "); });
  }
  void pass(async::clock::duration time) {
    loop_.pass_time(time);
    loop_.settle();
  }

  support::temp_dir directory_;
  std::string path_before_;
  support::event_loop loop_;
  bool linked_ = true;
  dhcp_client client_{loop_.executor(), "eth9", "", [this] { return linked_; }};
};

TEST_F(dhcp_client_test, renews_regularly_over_a_link) {
  pass(dhcp_client::renew_interval - 5s);
  pass(5s);
  ASSERT_TRUE(logged("start renew "));
  pass(dhcp_client::renew_interval);
  EXPECT_TRUE(logged("start renew renew "));
}

TEST_F(dhcp_client_test, does_not_renew_while_there_is_no_link) {
  linked_ = false;
  for (int i = 0; i < 5; ++i) pass(dhcp_client::renew_interval);
  EXPECT_TRUE(ends_with("start "));
}

TEST_F(dhcp_client_test, renews_over_a_new_link_once_it_has_lived_for_a_second) {
  linked_ = false;
  pass(dhcp_client::renew_interval + 5s);
  linked_ = true;
  client_.renew_soon();
  loop_.settle();
  EXPECT_EQ(written(), "start ");
  pass(dhcp_client::link_age);
  EXPECT_TRUE(logged("start renew "));
}

// The regular renewal would be due in the first second of the second link.
TEST_F(dhcp_client_test, a_link_that_comes_just_before_a_renewal_puts_it_off) {
  linked_ = false;
  pass(dhcp_client::renew_interval + 5s);  // the next one is due renew_interval from now
  linked_ = true;
  pass(dhcp_client::renew_interval - 500ms);
  client_.renew_soon();
  pass(500ms);
  EXPECT_TRUE(ends_with("start "));
}

TEST_F(dhcp_client_test, links_that_die_at_once_cause_no_signal) {
  for (int i = 0; i < 40; ++i) {
    linked_ = true;
    client_.renew_soon();
    pass(100ms);
    linked_ = false;
    pass(2s);
  }
  EXPECT_TRUE(ends_with("start "));
}

TEST_F(dhcp_client_test, two_signals_are_half_a_minute_apart) {
  client_.renew_soon();
  pass(dhcp_client::link_age);
  ASSERT_TRUE(logged("start renew "));
  client_.renew_soon();
  pass(dhcp_client::least_distance - 5s);
  client_.renew_soon();
  loop_.settle();
  EXPECT_EQ(written(), "start renew ");
  pass(5s);
  ASSERT_TRUE(logged("start renew renew "));
  client_.renew_soon();
  pass(dhcp_client::least_distance - 5s);
  EXPECT_TRUE(ends_with("start renew renew "));
}

}  // namespace
}  // namespace vm_switch
