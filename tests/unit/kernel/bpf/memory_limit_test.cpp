#include "kernel/bpf/memory_limit.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <cerrno>

namespace bpf {
namespace {

constexpr rlim_t usual = 64 << 10;

rlim_t limit() {
  rlimit now{};
  ::getrlimit(RLIMIT_MEMLOCK, &now);
  return now.rlim_cur;
}

// The process has the usual limit of an older kernel, and may raise it as far as the hard one.
class memory_limit_test : public testing::Test {
 protected:
  void SetUp() override {
    ::getrlimit(RLIMIT_MEMLOCK, &before_);
    if (before_.rlim_max <= usual) GTEST_SKIP() << "the hard limit of locked memory is low";
    const rlimit low{usual, before_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &low), 0);
    testing::internal::CaptureStderr();
  }
  void TearDown() override {
    ::setrlimit(RLIMIT_MEMLOCK, &before_);
    if (!IsSkipped()) testing::internal::GetCapturedStderr();
  }
  static int refuse(int why) {
    errno = why;
    return -1;
  }
  rlimit before_{};
};

TEST_F(memory_limit_test, is_raised_where_the_kernel_counts_programs_against_it) {
  int calls = 0;
  const auto work = [&calls] { return ++calls, limit() == usual ? refuse(EPERM) : 7; };
  EXPECT_EQ(with_more_memory(work), 7);
  EXPECT_GT(limit(), usual);
  EXPECT_EQ(with_more_memory(work), 7);
  EXPECT_EQ(calls, 3);
  const auto log = testing::internal::GetCapturedStderr();
  testing::internal::CaptureStderr();
  EXPECT_EQ(log.find("locked memory is raised"), log.rfind("locked memory is raised"));
  EXPECT_THAT(log, testing::HasSubstr("listeners: the limit of locked memory is raised"));
}

TEST_F(memory_limit_test, stays_where_more_does_not_help) {
  int calls = 0;
  EXPECT_EQ(with_more_memory([&calls] { return ++calls, refuse(EPERM); }), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(limit(), usual);
}

TEST_F(memory_limit_test, stays_where_it_is_not_the_reason) {
  int calls = 0;
  EXPECT_EQ(with_more_memory([&calls] { return ++calls, refuse(EINVAL); }), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(limit(), usual);
}

}  // namespace
}  // namespace bpf
