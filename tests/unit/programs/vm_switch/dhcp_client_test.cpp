// When udhcpc gets SIGUSR1: a script in its place writes a word for each signal, and the test lets the time pass.
#include "programs/vm_switch/dhcp_client.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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

// Within a minute, so that a change of the host's search domains reaches the VM; and no more often than two signals may
// follow each other.
TEST_F(dhcp_client_test, renews_within_each_minute_over_a_link) {
  pass(dhcp_client::least_distance);
  EXPECT_EQ(written(), "start ");
  pass(60s - dhcp_client::least_distance);
  ASSERT_TRUE(logged("start renew "));
  pass(60s);
  EXPECT_TRUE(logged("start renew renew "));
}

TEST_F(dhcp_client_test, does_not_renew_while_there_is_no_link) {
  linked_ = false;
  for (int i = 0; i < 5; ++i) pass(dhcp_client::renew_interval);
  EXPECT_TRUE(ends_with("start "));
}

// It fails for longer than renew_interval. There is no link, so no signal to a script that has no traps yet.
TEST_F(dhcp_client_test, the_log_has_one_line_while_it_does_not_run) {
  linked_ = false;
  testing::internal::CaptureStderr();
  std::string all = "start ";
  for (int i = 0; i < 7; ++i) {
    client_.restart();
    ASSERT_TRUE(logged(all += "end ")) << written();
    ASSERT_TRUE(loop_.run_until([] { return base::read_file("/proc/thread-self/children").value().empty(); }));
    loop_.settle();  // the pause has begun
    loop_.pass_time(10s);
    ASSERT_TRUE(logged(all += "start ")) << written();
  }
  const auto lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(lines, '\n'), 1) << lines;
  EXPECT_TRUE(lines.contains("udhcpc does not run, retrying reason=\"it ended with 0\"")) << lines;
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

// ---- A program that ends

class dhcp_client_restarts_test : public testing::Test {
 protected:
  void SetUp() override {
    path_before_ = ::getenv("PATH");
    ::setenv("PATH", (directory_.path().string() + ":/usr/bin:/bin").c_str(), 1);
  }
  void TearDown() override {
    loop_.stop();
    ::setenv("PATH", path_before_.c_str(), 1);
  }
  // `then`: what it does after it has noted its start.
  void write_program(const std::string& then) {
    const auto file = directory_ / "new";
    std::ofstream(file) << "#!/bin/sh\nprintf x >>" << (directory_ / "log").string() << "\n" << then << "\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    std::filesystem::rename(file, directory_ / "udhcpc");
  }
  [[nodiscard]] std::size_t starts() const { return base::read_file(directory_ / "log").value_or("").size(); }
  // Until one more has begun; returns how much time had to pass.
  std::chrono::milliseconds until_next_start() {
    const auto before = starts();
    std::chrono::milliseconds passed{0};
    loop_.run_until(
        [&] {
          if (loop_.run_until([&] { return starts() > before; }, 60ms)) return true;
          loop_.pass_time(100ms);
          passed += 100ms;
          return passed > 30s;
        },
        60s);
    return passed;
  }

  support::temp_dir directory_;
  std::string path_before_;
  support::event_loop loop_;
  dhcp_client client_{loop_.executor(), "eth9", "", [] { return true; }};
};

TEST_F(dhcp_client_restarts_test, one_that_ends_at_once_is_started_again_after_growing_pauses) {
  write_program("exit 1");
  loop_.spawn(client_.run());
  ASSERT_TRUE(loop_.run_until([&] { return starts() == 1; }));
  const auto first = until_next_start();
  EXPECT_LE(first, 500ms);
  std::chrono::milliseconds last{0};
  for (int i = 0; i < 5; ++i) last = until_next_start();
  EXPECT_GT(last, 1s) << "it doubles";
  EXPECT_LE(last, 11s) << "and has a bound";
}

TEST_F(dhcp_client_restarts_test, after_a_long_life_the_pause_is_short_again) {
  write_program("exit 1");
  loop_.spawn(client_.run());
  ASSERT_TRUE(loop_.run_until([&] { return starts() == 1; }));
  for (int i = 0; i < 4; ++i) until_next_start();
  write_program("exec sleep 1000");
  until_next_start();
  loop_.settle();
  loop_.pass_time(31s);
  client_.restart();
  EXPECT_LE(until_next_start(), 500ms);
}

TEST_F(dhcp_client_restarts_test, one_that_is_not_installed_is_started_once_it_is_and_named_once) {
  testing::internal::CaptureStderr();
  ::setenv("PATH", directory_.path().c_str(), 1);
  loop_.spawn(client_.run());
  loop_.settle();
  for (int i = 0; i < 5; ++i) loop_.pass_time(11s);
  EXPECT_EQ(starts(), 0U);
  ::setenv("PATH", (directory_.path().string() + ":/usr/bin:/bin").c_str(), 1);
  write_program("exec sleep 1000");
  until_next_start();
  EXPECT_EQ(starts(), 1U);
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("udhcpc does not run"), std::string::npos);
  EXPECT_EQ(log.find("WARN dhcp"), log.rfind("WARN dhcp")) << log;
}

TEST_F(dhcp_client_restarts_test, the_script_is_passed_on_and_none_is_the_programs_own) {
  write_program("echo \"$@\" >" + (directory_ / "arguments").string() + "; exec sleep 1000");
  const auto arguments = [&](const std::string& script) {
    dhcp_client one(loop_.executor(), "eth9", script, [] { return true; });
    loop_.spawn(one.run());
    std::string got;
    loop_.run_until([&] { return !(got = base::read_file(directory_ / "arguments").value_or("")).empty(); });
    loop_.stop();
    std::filesystem::remove(directory_ / "arguments");
    return got;
  };
  EXPECT_EQ(arguments(""), "-f -i eth9\n");
  EXPECT_EQ(arguments("/etc/udhcpc.script"), "-f -i eth9 -s /etc/udhcpc.script\n");
}

}  // namespace
}  // namespace vm_switch
