#include "sources/kubernetes/kubeconfig_watch.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace kubernetes {
namespace {

using namespace std::chrono_literals;

constexpr auto text =
    "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: "
    "'http://h:80'}}]\n";

class kubeconfig_watch_test : public testing::Test {
 protected:
  static async::task<> wait(kubeconfig_watch& watch, bool& returned) {
    co_await watch.changed(1h);
    returned = true;
  }
  void write() const {
    std::ofstream(directory_ / "new") << text;
    std::filesystem::rename(directory_ / "new", directory_ / "config");
  }

  support::event_loop loop_;
  support::temp_dir directory_;
  kubeconfig_watch watch_{loop_.executor(), directory_ / "config"};
};

TEST_F(kubeconfig_watch_test, reports_a_file_that_appears) {
  const auto absent = loop_.run(watch_.read());
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, std::errc::no_such_file_or_directory);
  EXPECT_TRUE(watch_.watched()) << "its directory answers";
  bool returned = false;
  loop_.spawn(wait(watch_, returned));
  loop_.settle();
  ASSERT_FALSE(returned);
  write();
  ASSERT_TRUE(loop_.run_until([&] { return returned; }));
  const auto there = loop_.run(watch_.read());
  ASSERT_TRUE(there) << there.error().message();
  EXPECT_EQ(there->server.host, "h");
  loop_.stop();
}

TEST_F(kubeconfig_watch_test, returns_in_time_without_a_change) {
  write();
  ASSERT_TRUE(loop_.run(watch_.read()));
  bool returned = false;
  loop_.spawn(wait(watch_, returned));
  loop_.settle();
  EXPECT_FALSE(returned);
  loop_.pass_time(1h);
  EXPECT_TRUE(loop_.run_until([&] { return returned; }));
  loop_.stop();
}

TEST_F(kubeconfig_watch_test, is_not_watched_before_it_was_read) { EXPECT_FALSE(watch_.watched()); }

}  // namespace
}  // namespace kubernetes
