#include "kernel/bpf/memory_limit.hpp"

#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace bpf {
namespace {

constexpr rlim_t usual = 64 << 10;

rlim_t limit() {
  rlimit now{};
  ::getrlimit(RLIMIT_MEMLOCK, &now);
  return now.rlim_cur;
}

int refuse(int why) {
  errno = why;
  return -1;
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

// The rest in processes of their own: a lowered hard limit may be for good.
void lower_both() {
  const rlimit low{usual, usual};
  if (::setrlimit(RLIMIT_MEMLOCK, &low) != 0) ::_exit(2);
}

void become_another_user() {
  constexpr uid_t other = 65'534;
  if (::setresuid(other, other, other) != 0) ::_exit(3);
}

// As the agent does, which gives up its rights before it needs more.
void raise_without_rights() {
  lower_both();
  let_memory_limit_rise();
  const bool stays = limit() == usual;
  become_another_user();
  const int made = with_more_memory([] { return limit() == usual ? refuse(EPERM) : 7; });
  ::_exit(stays && made == 7 ? 0 : 1);
}

bool may_raise_hard_limits() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  return ::syscall(SYS_capget, &header, sets.data()) == 0 && (sets[0].effective >> CAP_SYS_RESOURCE & 1U) != 0;
}

TEST(memory_limit, rises_after_the_rights_are_given_up) {
  if (!may_raise_hard_limits()) GTEST_SKIP() << "needs CAP_SYS_RESOURCE";
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(raise_without_rights(), testing::ExitedWithCode(0), "is raised");
}

void let_rise_without_rights() {
  lower_both();
  become_another_user();
  let_memory_limit_rise();
  rlimit now{};
  ::getrlimit(RLIMIT_MEMLOCK, &now);
  const int made = with_more_memory([] { return refuse(EPERM); });
  ::_exit(now.rlim_cur == usual && now.rlim_max == usual && made == -1 && errno == EPERM ? 0 : 1);
}

TEST(memory_limit, stays_without_the_right_to_raise_it) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(let_rise_without_rights(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace bpf
