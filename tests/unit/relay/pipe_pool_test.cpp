#include "relay/pipe_pool.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/syscall.h>

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
