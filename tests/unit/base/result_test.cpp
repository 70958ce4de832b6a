#include "base/result.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/unique_fd.hpp"

namespace base {
namespace {

TEST(result, a_message_is_the_context_and_what_the_code_says) {
  const result<int> failed = fail(std::errc::no_such_file_or_directory, "open x");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message(), "open x: No such file or directory");
  EXPECT_EQ(failed.error().code, std::errc::no_such_file_or_directory);
}

TEST(result, wrong_input_has_no_code) {
  const result<> failed = fail("no port");
  ASSERT_FALSE(failed);
  EXPECT_FALSE(failed.error().code);
  EXPECT_EQ(failed.error().message(), "no port");
}

TEST(result, errno_is_kept) {
  ASSERT_EQ(::open("/nonexistent", O_RDONLY), -1);
  const result<> failed = fail_errno("open");
  EXPECT_EQ(failed.error().code, std::errc::no_such_file_or_directory);
}

TEST(result, a_code_alone_is_its_text) {
  EXPECT_EQ(error({std::make_error_code(std::errc::timed_out), ""}).message(), "Connection timed out");
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(unique_fd, closes_what_it_owns_once) {
  const int raw = ::open("/dev/null", O_RDONLY);
  {
    unique_fd first(raw);
    unique_fd second(std::move(first));
    EXPECT_EQ(second.get(), raw);
    unique_fd& same = second;
    second = std::move(same);
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(unique_fd, what_is_released_stays_open) {
  const int raw = unique_fd(::open("/dev/null", O_RDONLY)).release();
  EXPECT_TRUE(is_open(raw));
  ::close(raw);
}

}  // namespace
}  // namespace base
