#include "os/file_watch.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/event_loop.hpp"
#include "tests/support/hanging_directory.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;

async::task<> count_changes(file_watch& watch, int& changes) {
  while (true) {
    co_await watch.changed();
    ++changes;
  }
}

class file_watch_test : public testing::Test {
 protected:
  void watch(const std::filesystem::path& path) {
    watch_.emplace(loop_.executor(), path);
    loop_.spawn(count_changes(*watch_, changes_));
    loop_.run_until([] { return false; }, 5ms);
  }
  // Whether changed() returned since the last call.
  bool notified() {
    const bool any = loop_.run_until([&] { return changes_ > 0; }, 2s);
    loop_.run_until([] { return false; }, 5ms);
    changes_ = 0;
    return any;
  }
  bool silent() {
    return !loop_.run_until([&] { return changes_ > 0; }, 30ms);
  }
  static void write(const std::filesystem::path& path, const std::string& text = "x") { std::ofstream(path) << text; }

  void TearDown() override { loop_.stop(); }  // the task ends before what it uses

  support::temp_dir directory_;
  int changes_ = 0;
  support::event_loop loop_;
  std::optional<file_watch> watch_;
};

TEST_F(file_watch_test, tells_of_creation_writing_replacement_and_removal) {
  const auto path = directory_ / "socket";
  watch(path);
  write(path);
  EXPECT_TRUE(notified());
  write(path, "more");
  EXPECT_TRUE(notified());
  write(directory_ / "other");
  EXPECT_TRUE(silent());
  std::filesystem::rename(directory_ / "other", path);
  EXPECT_TRUE(notified());
  std::filesystem::remove(path);
  EXPECT_TRUE(notified());
}

TEST_F(file_watch_test, the_directories_on_the_way_may_come_later) {
  const auto path = directory_ / "a" / "b" / "file";
  watch(path);
  std::filesystem::create_directory(directory_ / "a");
  EXPECT_TRUE(notified());
  std::filesystem::create_directory(directory_ / "a" / "b");
  EXPECT_TRUE(notified());
  write(path);
  EXPECT_TRUE(notified());
}

TEST_F(file_watch_test, a_directory_that_goes_and_comes_back_is_watched_again) {
  const auto path = directory_ / "run" / "file";
  std::filesystem::create_directory(directory_ / "run");
  watch(path);
  std::filesystem::remove_all(directory_ / "run");
  EXPECT_TRUE(notified());
  std::filesystem::create_directory(directory_ / "run");
  EXPECT_TRUE(notified());
  write(path);
  EXPECT_TRUE(notified());
}

TEST_F(file_watch_test, what_is_made_at_once_is_told_at_least_once) {
  const auto path = directory_ / "a" / "b" / "file";
  watch(path);
  std::filesystem::create_directories(path.parent_path());
  write(path);
  EXPECT_TRUE(notified());
  write(path, "more");
  EXPECT_TRUE(notified());
}

TEST_F(file_watch_test, a_directory_that_was_moved_away_is_let_go) {
  std::filesystem::create_directory(directory_ / "run");
  watch(directory_ / "run" / "file");
  std::filesystem::rename(directory_ / "run", directory_ / "old");
  EXPECT_TRUE(notified());
  std::filesystem::create_directory(directory_ / "run");
  EXPECT_TRUE(notified());
  write(directory_ / "old" / "file");
  std::filesystem::remove_all(directory_ / "old");
  EXPECT_TRUE(silent());
  write(directory_ / "run" / "file");
  EXPECT_TRUE(notified());
}

TEST_F(file_watch_test, symbolic_links_to_directories_are_followed) {
  std::filesystem::create_directory(directory_ / "run");
  std::filesystem::create_directory_symlink("run", directory_ / "var");
  watch(directory_ / "var" / "file");
  write(directory_ / "run" / "file");
  EXPECT_TRUE(notified());
}

TEST_F(file_watch_test, a_link_at_the_end_is_followed) {
  std::filesystem::create_symlink("run/engine/socket", directory_ / "link");
  watch(directory_ / "link");
  std::filesystem::create_directory(directory_ / "run");
  EXPECT_TRUE(notified());
  std::filesystem::create_directory(directory_ / "run" / "engine");
  EXPECT_TRUE(notified());
  write(directory_ / "run" / "engine" / "socket");
  EXPECT_TRUE(notified());
  write(directory_ / "run" / "engine" / "other");
  EXPECT_TRUE(silent());
}

TEST_F(file_watch_test, a_link_that_is_replaced_anywhere_on_the_way_is_followed_anew) {
  for (const auto* name : {"old", "new"}) std::filesystem::create_directory(directory_ / name);
  std::filesystem::create_symlink((directory_ / "old").string(), directory_ / "run");
  std::filesystem::create_symlink("./run/../run/socket", directory_ / "link");
  watch(directory_ / "link");
  std::filesystem::create_symlink("new", directory_ / "next");
  std::filesystem::rename(directory_ / "next", directory_ / "run");
  EXPECT_TRUE(notified());
  write(directory_ / "old" / "socket");
  EXPECT_TRUE(silent());
  write(directory_ / "new" / "socket");
  EXPECT_TRUE(notified());
}

TEST_F(file_watch_test, links_in_a_circle_end) {
  std::filesystem::create_symlink("b", directory_ / "a");
  std::filesystem::create_symlink("a", directory_ / "b");
  watch(directory_ / "a");
  std::filesystem::remove(directory_ / "b");
  write(directory_ / "b");
  EXPECT_TRUE(notified());
}

// The loop goes on, and directories before the hanging file system are still watched.
TEST_F(file_watch_test, a_link_into_a_file_system_that_hangs_is_looked_at_beside_the_loop) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  const auto link = directory_ / "link";
  write(directory_ / "target");
  std::filesystem::create_symlink(directory_ / "target", link);
  watch(link);
  const auto lead_to = [&](const std::filesystem::path& target) {
    std::filesystem::create_symlink(target, directory_ / "next");
    std::filesystem::rename(directory_ / "next", link);
  };
  testing::internal::CaptureStderr();
  lead_to(dead.path() / "file");
  EXPECT_TRUE(notified());
  int turns = 0;
  loop_.run_until([&] { return ++turns > 300; }, 3s);
  EXPECT_GT(turns, 10) << "the loop stood still";
  lead_to(directory_ / "target");
  EXPECT_TRUE(notified());
  write(directory_ / "target", "more");
  EXPECT_TRUE(notified()) << "the way is known again, while the other one still hangs";
  dead.release();
  loop_.stop();
  const std::string log = testing::internal::GetCapturedStderr();
  const std::string warning = "cannot watch, polling";
  EXPECT_NE(log.find(warning), std::string::npos);
  EXPECT_NE(log.find("ended after"), std::string::npos) << log;
}

TEST(file_watch_at_the_start, waits_half_a_second_for_a_file_system_that_hangs) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  support::event_loop loop;
  testing::internal::CaptureStderr();
  const file_watch late(loop.executor(), dead.path() / "file");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("cannot watch"), std::string::npos);
}

// In a user namespace of its own, whose user may have `most` of the kernel's `what`. 0: changes were noticed.
int look_with_few(const std::string& what, const std::string& most) {
  if (::unshare(CLONE_NEWUSER) != 0) return 77;
  const support::temp_dir directory;
  const auto path = directory / "file";
  std::ofstream("/proc/sys/user/" + what) << most << std::flush;
  support::event_loop loop;
  file_watch opened(loop.executor(), path);
  int changes = 0;
  loop.spawn(count_changes(opened, changes));
  loop.run_until([] { return false; }, 20ms);
  if (changes != 0) return 3;
  std::ofstream(path) << "x";
  const bool noticed = loop.run_until([&] { return changes > 0; }, 5s);
  std::ofstream("/proc/sys/user/" + what) << 1000 << std::flush;
  std::ofstream(path) << "y";
  const bool healed = loop.run_until([&] { return changes > 1; }, 5s);
  loop.stop();
  return noticed && healed ? 0 : 1;
}

class file_watch_limits : public testing::TestWithParam<const char*> {
 protected:
  // Not every machine lets a process have a user namespace.
  static bool possible() {
    const auto child = ::fork();
    if (child == 0) std::_Exit(::unshare(CLONE_NEWUSER) == 0 ? 0 : 77);
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
};
INSTANTIATE_TEST_SUITE_P(inotify, file_watch_limits, testing::Values("max_inotify_watches", "max_inotify_instances"),
                         [](const auto& about) { return about.param; });

TEST_P(file_watch_limits, what_cannot_be_watched_is_polled_and_reported_once) {
  if (!possible()) GTEST_SKIP() << "needs user namespaces";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::_Exit(look_with_few(GetParam(), "0")), testing::ExitedWithCode(0),
              "cannot watch, polling path=[^\n]*\n[^\n]*ended after[^\n]*\n$");
}

TEST(file_identity, differs_for_the_next_file_at_a_path) {
  support::temp_dir directory;
  const auto path = directory / "file";
  EXPECT_FALSE(identify(path));
  std::ofstream(path) << 1;
  const auto first = identify(path);
  ASSERT_TRUE(first);
  EXPECT_EQ(identify(path), first);
  std::ofstream(directory / "next") << 2;
  std::filesystem::rename(directory / "next", path);
  EXPECT_NE(identify(path), first);
}

}  // namespace
}  // namespace os
