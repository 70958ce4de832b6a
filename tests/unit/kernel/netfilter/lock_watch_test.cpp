#include "kernel/netfilter/lock_watch.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "base/unique_fd.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace netfilter {
namespace {

class lock_watch_test : public testing::Test {
 protected:
  // As iptables-legacy does; locked until the descriptor is closed.
  base::unique_fd take_lock() { return base::unique_fd(::open(file_.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600)); }
  void start() {
    auto watch = lock_watch::open(loop_.executor(), file_);
    ASSERT_TRUE(watch) << watch.error().message();
    watch_ = std::make_unique<lock_watch>(std::move(*watch));
    loop_.spawn(count(*watch_, notices_));
  }
  void TearDown() override { loop_.stop(); }
  static async::task<> count(lock_watch& watch, int& notices) {
    for (;; ++notices) co_await watch.changed();
  }
  void settle() {
    loop_.run_until([] { return false; }, std::chrono::milliseconds(50));
  }

  support::temp_dir directory_;
  std::filesystem::path file_ = directory_ / "xtables.lock";
  support::event_loop loop_;
  std::unique_ptr<lock_watch> watch_;
  int notices_ = 0;
};

TEST_F(lock_watch_test, returns_when_the_lock_is_released) {
  take_lock();
  start();
  auto lock = take_lock();
  settle();
  EXPECT_EQ(notices_, 0) << "the program still runs";
  lock.reset();
  EXPECT_TRUE(loop_.run_until([&] { return notices_ == 1; }));
  take_lock();
  EXPECT_TRUE(loop_.run_until([&] { return notices_ == 2; }));
}

TEST_F(lock_watch_test, a_file_that_is_not_there_yet_or_is_replaced) {
  start();
  {
    const auto other = base::unique_fd(::creat((directory_ / "other").c_str(), 0600));
  }
  settle();
  EXPECT_EQ(notices_, 0);
  take_lock();
  EXPECT_TRUE(loop_.run_until([&] { return notices_ > 0; }));
  std::filesystem::remove(file_);
  take_lock();
  settle();
  const auto before = notices_;
  take_lock();
  EXPECT_TRUE(loop_.run_until([&] { return notices_ > before; }));
}

TEST_F(lock_watch_test, fails_without_the_directory) {
  EXPECT_FALSE(lock_watch::open(loop_.executor(), directory_ / "none" / "lock"));
}

}  // namespace
}  // namespace netfilter
