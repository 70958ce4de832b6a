#include "os/lock_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "os/claimed_unix_path.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;
using at_end = lock_file::at_end;

class lock_files : public testing::Test {
 protected:
  base::result<lock_file> claim(at_end then = at_end::keep) const { return lock_file::claim(path_, then, 50ms); }
  void expect_denied() const {
    const auto denied = claim();
    ASSERT_FALSE(denied);
    EXPECT_EQ(denied.error().code, std::errc::permission_denied) << denied.error().message();
  }
  support::temp_dir directory_;
  std::filesystem::path path_ = directory_ / "x.lock";
};

TEST_F(lock_files, one_at_a_time) {
  {
    const auto first = claim();
    ASSERT_TRUE(first) << first.error().message();
    EXPECT_EQ(claim().error().code, std::errc::operation_would_block);
  }
  EXPECT_TRUE(claim());
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(lock_files, is_removed_if_wanted) {
  {
    ASSERT_TRUE(claim(at_end::remove));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(lock_files, those_that_killed_programs_have_left_can_be_removed) {
  const auto held = claim();
  ASSERT_TRUE(held);
  for (const auto* name : {"x1.lock", "x1", "y1.lock"}) std::ofstream(directory_ / name) << "";
  lock_file::remove_unheld(directory_.path(), "x");
  EXPECT_FALSE(std::filesystem::exists(directory_ / "x1.lock"));
  for (const auto* name : {"x.lock", "x1", "y1.lock"}) EXPECT_TRUE(std::filesystem::exists(directory_ / name)) << name;
  lock_file::remove_unheld(directory_ / "none", "x");
}

TEST_F(lock_files, no_other_user_can_open_it) {
  std::ofstream(path_) << "left by another program";
  ::chmod(path_.c_str(), 0644);
  ASSERT_TRUE(claim());
  struct stat about{};
  ASSERT_EQ(::stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0600U);
}

TEST_F(lock_files, takes_no_link_and_no_file_of_others) {
  std::ofstream(directory_ / "precious") << "x";
  std::filesystem::create_symlink(directory_ / "precious", path_);
  expect_denied();
  std::filesystem::remove(path_);
  std::filesystem::create_hard_link(directory_ / "precious", path_);
  expect_denied();
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  expect_denied();
  if (::geteuid() != 0) return;
  std::filesystem::remove(path_);
  std::ofstream(path_) << "x";
  ASSERT_EQ(::chown(path_.c_str(), 65534, 65534), 0);
  expect_denied();
}

// Any user may open and lock a directory like /run.
TEST_F(lock_files, a_lock_on_the_directory_keeps_no_listener_from_starting) {
  const base::unique_fd directory(::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(directory.get(), LOCK_EX | LOCK_NB), 0);
  const auto listener = claimed_unix_path::claim(directory_ / "x.sock");
  EXPECT_TRUE(listener) << listener.error().message();
  EXPECT_FALSE(std::filesystem::exists(directory_ / "x.sock.lock"));
}

TEST_F(lock_files, a_directory_that_is_missing_is_named) {
  const auto claimed = lock_file::claim(directory_ / "none/x.lock", at_end::keep, 50ms);
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error().code, std::errc::no_such_file_or_directory);
  EXPECT_EQ(claimed.error().message(), "lock " + (directory_ / "none/x.lock").string() + ": directory " +
                                           (directory_ / "none").string() + ": No such file or directory");
}

TEST_F(lock_files, a_disk_that_is_read_only_is_the_reason) {
  bool mounted = false;
  std::thread([&] {  // whose mount namespace is its own
    mounted = ::unshare(CLONE_FS | CLONE_NEWNS) == 0 &&
              ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
              ::mount("tmpfs", directory_.path().c_str(), "tmpfs", MS_RDONLY, nullptr) == 0;
    if (mounted) EXPECT_EQ(claim().error().code, std::errc::read_only_file_system);
  })
      .join();
  if (!mounted) GTEST_SKIP() << "needs a mount namespace of its own, so root";
}

}  // namespace
}  // namespace os
