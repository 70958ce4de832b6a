#include "os/claimed_unix_path.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

class claimed_unix_path_test : public testing::Test {
 protected:
  // A socket file whose owner did not remove it.
  void leave_stale() const { EXPECT_TRUE(bind_raw()); }
  [[nodiscard]] base::unique_fd bind_raw() const {
    base::unique_fd made(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path_.native().copy(at.sun_path, sizeof at.sun_path - 1);
    return ::bind(made.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 ? std::move(made) : base::unique_fd();
  }

  support::temp_dir directory_;
  std::filesystem::path path_ = directory_ / "x.sock";
};

TEST_F(claimed_unix_path_test, is_its_owners_only) {
  const auto l = claimed_unix_path::claim(path_);
  ASSERT_TRUE(l) << l.error().message();
  struct stat about{};
  ASSERT_EQ(::stat(path_.c_str(), &about), 0);
  EXPECT_TRUE(S_ISSOCK(about.st_mode));
  EXPECT_EQ(about.st_mode & 07777U, 0600U);
}

TEST_F(claimed_unix_path_test, removes_its_file) {
  {
    ASSERT_TRUE(claimed_unix_path::claim(path_));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(claimed_unix_path_test, leaves_anothers_file_alone) {
  {
    const auto l = claimed_unix_path::claim(path_);
    ASSERT_TRUE(l);
    std::filesystem::remove(path_);
    std::ofstream(path_) << "x";
  }
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(claimed_unix_path_test, replaces_a_stale_socket) {
  leave_stale();
  std::ofstream(path_.string() + ".new") << "x";  // of an instance that was killed while it started
  const auto l = claimed_unix_path::claim(path_);
  EXPECT_TRUE(l) << l.error().message();
  EXPECT_EQ(std::ranges::distance(std::filesystem::directory_iterator(directory_.path())), 1);
}

TEST_F(claimed_unix_path_test, does_not_replace_a_living_one) {
  const auto first = claimed_unix_path::claim(path_);
  ASSERT_TRUE(first);
  const auto second = claimed_unix_path::claim(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, std::errc::address_in_use);
  EXPECT_NE(second.error().message().find("another instance is running"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

// The instance was killed between the fork and the exec of a program.
TEST_F(claimed_unix_path_test, waits_for_one_that_is_dying) {
  auto dying = bind_raw();
  ASSERT_EQ(::listen(dying.get(), 8), 0);
  const std::jthread end([&] {
    pollfd knock{.fd = dying.get(), .events = POLLIN, .revents = 0};
    ::poll(&knock, 1, 10'000);
    dying.reset();
  });
  const auto next = claimed_unix_path::claim(path_);
  EXPECT_TRUE(next) << next.error().message();
}

TEST_F(claimed_unix_path_test, does_not_replace_what_is_no_socket) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(claimed_unix_path::claim(path_).error().code, std::errc::file_exists);
  EXPECT_EQ(claimed_unix_path::claim(directory_ / "no" / "x.sock").error().code, std::errc::no_such_file_or_directory);
}

TEST_F(claimed_unix_path_test, the_longest_path) {
  const auto beside = directory_.path().native().size() + 1;
  EXPECT_TRUE(claimed_unix_path::claim(directory_ / std::string(claimed_unix_path::longest_path - beside, 'x')));
  const auto too_long = directory_ / std::string(claimed_unix_path::longest_path + 1 - beside, 'x');
  EXPECT_EQ(claimed_unix_path::claim(too_long).error(),
            (base::error{std::make_error_code(std::errc::filename_too_long), "listen on " + too_long.string()}));
}

// ---- datagrams

TEST_F(claimed_unix_path_test, a_socket_of_datagrams_is_its_owners_only_and_has_its_own_name) {
  const auto l = claimed_unix_path::claim_datagrams(path_);
  ASSERT_TRUE(l) << l.error().message();
  struct stat about{};
  ASSERT_EQ(::stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0600U);
  sockaddr_un own{};
  socklen_t size = sizeof own;
  ASSERT_EQ(::getsockname(l->fd(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  EXPECT_EQ(path_.native(), own.sun_path) << "the sender's name, as peers see it";
}

TEST_F(claimed_unix_path_test, a_socket_of_datagrams_replaces_a_stale_one_alone_and_removes_its_file) {
  leave_stale();
  {
    const auto first = claimed_unix_path::claim_datagrams(path_);
    ASSERT_TRUE(first) << first.error().message();
    EXPECT_EQ(claimed_unix_path::claim_datagrams(path_).error().code, std::errc::address_in_use);
    EXPECT_FALSE(claimed_unix_path::claim(path_)) << "of the other kind";
    EXPECT_TRUE(std::filesystem::exists(path_));
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
  const auto stream = claimed_unix_path::claim(path_);
  ASSERT_TRUE(stream);
  EXPECT_FALSE(claimed_unix_path::claim_datagrams(path_)) << "of the other kind";
}

TEST_F(claimed_unix_path_test, a_socket_of_datagrams_does_not_replace_what_is_no_socket) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(claimed_unix_path::claim_datagrams(path_).error().code, std::errc::file_exists);
}

TEST_F(claimed_unix_path_test, one_of_many_that_start_at_once) {
  leave_stale();
  std::atomic<int> claimed = 0, ready = 0;
  std::atomic<bool> done = false;
  {
    std::vector<std::jthread> starters;
    for (int i = 0; i < 8; ++i) {
      starters.emplace_back([&] {
        const auto l = claimed_unix_path::claim(path_);
        if (l) ++claimed;
        ++ready;
        done.wait(false);
      });
    }
    while (ready != 8) std::this_thread::yield();
    EXPECT_EQ(claimed, 1);
    done = true;
    done.notify_all();
  }
}

}  // namespace
}  // namespace os
