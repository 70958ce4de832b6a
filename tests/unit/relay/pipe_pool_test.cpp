#include "relay/pipe_pool.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <utility>
#include <vector>

#include "tests/support/refused_call.hpp"

namespace relay {
namespace {

class pipe_pool_test : public testing::Test {
 protected:
  [[nodiscard]] std::size_t available() const { return budget_.available(descriptor_use::pipe); }

  descriptor_budget budget_{1'024};
  const std::size_t before_ = budget_.available(descriptor_use::pipe);
};

TEST_F(pipe_pool_test, a_pipe_neither_blocks_nor_outlives_exec) {
  pipe_pool pool(budget_);
  const auto pipe = pool.borrow();
  ASSERT_TRUE(pipe);
  for (const auto* end : {&pipe->read, &pipe->write}) {
    EXPECT_NE(::fcntl(end->get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(end->get(), F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(::write(pipe->write.get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(pipe->read.get(), &byte, 1), 1);
  EXPECT_EQ(::read(pipe->read.get(), &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(pipe_pool_test, a_returned_pipe_is_lent_again) {
  pipe_pool pool(budget_);
  auto first = pool.borrow();
  ASSERT_TRUE(first);
  const int read_end = first->read.get();
  pool.give_back(std::move(*first));
  const auto again = pool.borrow();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->read.get(), read_end);
  const auto other = pool.borrow();
  ASSERT_TRUE(other);
  EXPECT_NE(other->read.get(), read_end) << "one pipe for two connections";
}

TEST_F(pipe_pool_test, keeps_its_spare_pipes_and_closes_the_others) {
  pipe_pool pool(budget_, 1);
  auto a = pool.borrow(), b = pool.borrow();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(available(), before_ - 4);
  const int first = a->read.get(), second = b->read.get();
  pool.give_back(std::move(*a));
  a.reset();
  pool.give_back(std::move(*b));
  b.reset();
  EXPECT_EQ(available(), before_ - 2) << "the budget knows of one kept pipe";
  EXPECT_NE(::fcntl(first, F_GETFD), -1);
  EXPECT_EQ(::fcntl(second, F_GETFD), -1);
}

TEST_F(pipe_pool_test, lends_none_beyond_the_share_until_one_comes_back) {
  pipe_pool pool(budget_);
  std::vector<pipe_pair> lent;
  while (auto pipe = pool.borrow()) {
    lent.push_back(std::move(*pipe));
    ASSERT_LE(lent.size(), 1'024U);
  }
  EXPECT_GE(lent.size(), budget_.guaranteed(descriptor_use::pipe) / 2);
  EXPECT_LT(available(), 2U);
  pool.give_back(std::move(lent.back()));
  lent.pop_back();
  EXPECT_TRUE(pool.borrow());
}

TEST_F(pipe_pool_test, a_failed_try_does_not_use_up_the_share) {
  const bool ran = support::run_without({SYS_pipe2, 1, O_NONBLOCK | O_CLOEXEC, EMFILE}, [&] {
    pipe_pool pool(budget_);
    EXPECT_FALSE(pool.borrow());
  });
  if (!ran) GTEST_SKIP() << "no seccomp filters here";
  EXPECT_EQ(available(), before_);
}

TEST_F(pipe_pool_test, lends_a_pipe_of_the_first_size_where_the_kernel_gives_no_more) {
  const bool ran = support::run_without({SYS_fcntl, 1, F_SETPIPE_SZ, EPERM}, [&] {
    pipe_pool pool(budget_);
    const auto pipe = pool.borrow();
    ASSERT_TRUE(pipe) << "the first size is enough";
    EXPECT_GE(::fcntl(pipe->read.get(), F_GETPIPE_SZ), 64 << 10);
  });
  if (!ran) GTEST_SKIP() << "no seccomp filters here";
}

// In a process of its own, as a user of its own: without capabilities the kernel bounds the pipes of a user.
void borrow_beyond_the_bound_of_the_user() {
  constexpr uid_t own = 3'141'592;
  if (::setresuid(own, own, own) != 0) ::_exit(2);
  descriptor_budget budget{1'024};
  const auto before = budget.available(descriptor_use::pipe);
  std::array<int, 2> ends{};
  for (int i = 0; i < 400; ++i) {
    if (::pipe(ends.data()) != 0) ::_exit(3);
    if (::fcntl(ends[1], F_GETPIPE_SZ) < 64 << 10) {
      pipe_pool pool(budget);
      const bool lent = pool.borrow().has_value();
      ::_exit(!lent && budget.available(descriptor_use::pipe) == before ? 0 : 1);
    }
    static_cast<void>(::fcntl(ends[1], F_SETPIPE_SZ, 512 << 10));
  }
  ::_exit(4);
}

TEST_F(pipe_pool_test, lends_no_pipe_that_is_smaller_than_a_copy) {
  std::size_t pages = 0;
  std::ifstream("/proc/sys/fs/pipe-user-pages-soft") >> pages;
  if (::geteuid() != 0 || pages != 16'384) GTEST_SKIP() << "needs root, and the usual bound of pipes";
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(borrow_beyond_the_bound_of_the_user(), testing::ExitedWithCode(0), "");
}

TEST_F(pipe_pool_test, returns_everything_to_the_budget_when_it_goes) {
  {
    pipe_pool pool(budget_);
    pool.give_back(pool.borrow().value());
    EXPECT_EQ(available(), before_ - 2);
  }
  EXPECT_EQ(available(), before_);
}

}  // namespace
}  // namespace relay
