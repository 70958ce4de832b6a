#include "os/inotify.hpp"

#include <gmock/gmock.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/event_loop.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

using testing::ElementsAre;

class inotify_test : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(events_) << events_.error().message();
    filter_ = [this](const inotify::event& e) {
      seen_.emplace_back(e.name);
      return e.name != "boring";
    };
  }
  void TearDown() override { loop_.stop(); }

  static async::task<> wait(inotify& events, inotify::filter matters, int& returned) {
    co_await events.news(std::move(matters));
    ++returned;
  }
  void start() { loop_.spawn(wait(*events_, filter_, returned_)); }
  void create(const std::string& name) const { std::ofstream(directory_ / name) << ""; }

  support::temp_dir directory_;
  support::event_loop loop_;
  base::result<inotify> events_ = inotify::open(loop_.executor());
  inotify::filter filter_;
  std::vector<std::string> seen_;
  int returned_ = 0;
};

TEST_F(inotify_test, returns_at_an_event_that_matters) {
  const int number = events_->watch(directory_.path(), IN_CREATE);
  ASSERT_GE(number, 0);
  int watch = -1;
  std::uint32_t mask = 0;
  filter_ = [&](const inotify::event& e) {
    watch = e.watch, mask = e.mask;
    seen_.emplace_back(e.name);
    return true;
  };
  start();
  loop_.settle();
  EXPECT_EQ(returned_, 0);
  create("a-name-that-is-longer-than-one-padding");
  ASSERT_TRUE(loop_.run_until([&] { return returned_ == 1; }));
  EXPECT_THAT(seen_, ElementsAre("a-name-that-is-longer-than-one-padding"));
  EXPECT_EQ(watch, number);
  EXPECT_EQ(mask, static_cast<std::uint32_t>(IN_CREATE));
}

TEST_F(inotify_test, waits_on_while_no_event_matters) {
  events_->watch(directory_.path(), IN_CREATE);
  start();
  create("boring");
  ASSERT_TRUE(loop_.run_until([&] { return seen_.size() == 1; }));
  loop_.settle();
  EXPECT_EQ(returned_, 0);
  create("news");
  EXPECT_TRUE(loop_.run_until([&] { return returned_ == 1; }));
}

TEST_F(inotify_test, reads_all_events_that_are_there_at_once) {
  events_->watch(directory_.path(), IN_CREATE);
  for (const auto* name : {"boring", "news", "b"}) create(name);
  create("boring");  // exists already: no event
  start();
  ASSERT_TRUE(loop_.run_until([&] { return returned_ == 1; }));
  EXPECT_THAT(seen_, ElementsAre("boring", "news", "b")) << "each of them reaches the filter, after a match too";
  start();
  loop_.settle();
  EXPECT_EQ(returned_, 1) << "nothing is left";
}

// A match is not undone by a later event without one.
TEST_F(inotify_test, one_event_that_matters_is_enough) {
  events_->watch(directory_.path(), IN_CREATE);
  create("news");
  create("boring");
  start();
  EXPECT_TRUE(loop_.run_until([&] { return returned_ == 1; }));
}

TEST_F(inotify_test, lost_events_are_news) {
  events_->watch(directory_.path(), IN_ATTRIB);
  for (const auto* name : {"boring", "other"}) create(name);
  std::size_t most = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> most;
  if (most == 0 || most > 100'000) GTEST_SKIP() << "the kernel's queue is too long";
  // Alternately: the kernel merges an event with an equal one before it.
  for (std::size_t i = 0; i <= most; ++i)
    ASSERT_EQ(::chmod((directory_ / (i % 2 == 0 ? "boring" : "other")).c_str(), 0600), 0);
  filter_ = [](const inotify::event&) { return false; };
  start();
  EXPECT_TRUE(loop_.run_until([&] { return returned_ == 1; }));
}

TEST_F(inotify_test, a_watch_that_is_forgotten_reports_nothing) {
  const int number = events_->watch(directory_.path(), IN_CREATE);
  events_->forget(number);
  filter_ = [&](const inotify::event& e) {
    seen_.emplace_back(e.name);
    return (e.mask & IN_IGNORED) == 0;  // the kernel's last word about the watch
  };
  start();
  create("news");
  ASSERT_TRUE(loop_.run_until([&] { return !seen_.empty(); }));
  loop_.settle();
  EXPECT_THAT(seen_, ElementsAre(""));
  EXPECT_EQ(returned_, 0);
}

TEST_F(inotify_test, one_directory_has_one_number_and_a_missing_one_has_none) {
  const int number = events_->watch(directory_.path(), IN_CREATE);
  EXPECT_EQ(events_->watch(directory_.path() / ".", IN_CREATE), number);
  errno = 0;
  EXPECT_EQ(events_->watch(directory_ / "none", IN_CREATE), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(inotify_test, another_thread_adds_a_watch_by_a_duplicate) {
  auto copy = events_->duplicate();
  ASSERT_TRUE(copy) << copy.error().message();
  int number = -1;
  std::thread([&] { number = inotify::watch(*copy, directory_.path(), IN_CREATE); }).join();
  ASSERT_GE(number, 0);
  copy->reset();  // the watch does not end with it
  start();
  create("news");
  EXPECT_TRUE(loop_.run_until([&] { return returned_ == 1; }));
}

TEST_F(inotify_test, a_machine_without_free_instances_is_an_error) {
  std::error_code failed;
  const bool ran = support::run_without({__NR_inotify_init1, 0, IN_NONBLOCK | IN_CLOEXEC, EMFILE}, [&] {
    const auto opened = inotify::open(loop_.executor());
    if (!opened) failed = opened.error().code;
  });
  if (!ran) GTEST_SKIP() << "the kernel takes no filter";
  EXPECT_EQ(failed, std::errc::too_many_files_open);
}

TEST_F(inotify_test, a_cancelled_wait_throws) {
  bool cancelled = false;
  auto wait_on = [](inotify& events, bool& into) -> async::task<> {
    try {
      co_await events.news([](const inotify::event&) { return true; });
    } catch (const boost::system::system_error& e) {
      into = e.code() == boost::asio::error::operation_aborted;
      throw;
    }
  };
  loop_.spawn(wait_on(*events_, cancelled));
  loop_.settle();
  loop_.stop();
  EXPECT_TRUE(cancelled);
}

}  // namespace
}  // namespace os
