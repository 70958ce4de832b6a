#include "os/readable.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "base/unique_fd.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/refused_call.hpp"

namespace os {
namespace {

class readable_test : public testing::Test {
 protected:
  void start() {
    auto wait = [](int fd, bool& done) -> async::task<> {
      co_await readable(fd);
      done = true;
    };
    loop_.spawn(wait(event_.get(), done_));
    loop_.settle();
  }

  const base::unique_fd event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  bool done_ = false;
  support::event_loop loop_;
};

TEST_F(readable_test, returns_when_there_is_something_to_read) {
  start();
  EXPECT_FALSE(done_);
  ::eventfd_write(event_.get(), 1);
  EXPECT_TRUE(loop_.run_until([this] { return done_; }));
}

TEST_F(readable_test, out_of_descriptors_it_waits_until_there_is_one) {
  ::eventfd_write(event_.get(), 1);
  if (!support::run_without({SYS_fcntl, 1, F_DUPFD_CLOEXEC, EMFILE}, [this] { start(); })) GTEST_SKIP() << "no seccomp";
  EXPECT_FALSE(done_);
  loop_.pass_time(std::chrono::seconds(1));
  EXPECT_TRUE(loop_.run_until([this] { return done_; }));
}

}  // namespace
}  // namespace os
