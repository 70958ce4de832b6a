#include "base/read_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

namespace base {
namespace {

class read_file_test : public testing::Test {
 protected:
  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(directory_ / name) << text;
    return path(name);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return (directory_ / name).string(); }
  support::temp_dir directory_;
};

TEST_F(read_file_test, returns_all_bytes) {
  EXPECT_EQ(read_file(write("empty", "")), "");
  EXPECT_EQ(read_file(write("text", "a\nb")), "a\nb");
  const std::string binary("a\0b\xff", 4);
  EXPECT_EQ(read_file(write("binary", binary)), binary);
}

TEST_F(read_file_test, a_file_may_be_as_large_as_the_limit_and_no_larger) {
  const auto file = write("file", "12345");
  EXPECT_EQ(read_file(file, {.bytes = 5}), "12345");
  const auto larger = read_file(file, {.bytes = 4});
  ASSERT_FALSE(larger) << "a part of it is not the file";
  EXPECT_EQ(larger.error().message(), file + " is larger than 4 bytes");
  EXPECT_EQ(read_file(write("empty", ""), {.bytes = 0}), "");
}

// The kernel reports the size 0 for the files of /proc.
TEST_F(read_file_test, the_limit_holds_also_for_a_file_that_does_not_know_its_size) {
  const auto all = read_file("/proc/self/status");
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_TRUE(all->starts_with("Name:"));
  EXPECT_FALSE(read_file("/proc/self/status", {.bytes = 16}));
  const auto large = read_file("/proc/self/smaps");
  ASSERT_TRUE(large) << large.error().message();
  EXPECT_GT(large->size(), 10'000U);
  EXPECT_TRUE(large->ends_with('\n'));
}

TEST_F(read_file_test, a_missing_file_is_an_error_with_its_name) {
  const auto missing = read_file(path("none"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, std::errc::no_such_file_or_directory);
  EXPECT_EQ(missing.error().context, path("none"));
}

// A fifo without a writer would block the caller for ever.
TEST_F(read_file_test, refuses_everything_but_a_regular_file_without_waiting) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  for (const auto& other : {path("fifo"), directory_.path().string(), std::string("/dev/zero")}) {
    const auto read = read_file(other);
    ASSERT_FALSE(read) << other;
    EXPECT_EQ(read.error().message(), other + " is not a regular file");
  }
}

TEST_F(read_file_test, follows_the_last_link_only_on_request) {
  write("file", "text");
  std::filesystem::create_symlink("file", path("link"));
  EXPECT_EQ(read_file(path("link")), "text");
  const auto refused = read_file(path("link"), {.follow_links = false});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, std::errc::too_many_symbolic_link_levels);
  std::filesystem::create_directory_symlink(directory_.path(), path("directory"));
  EXPECT_EQ(read_file(path("directory/file"), {.follow_links = false}), "text") << "a link further up";
}

TEST_F(read_file_test, a_relative_path_begins_at_the_directory) {
  write("file", "text");
  const unique_fd directory(::open(directory_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(read_file("file", {}, directory.get()), "text");
  EXPECT_FALSE(read_file("none", {}, directory.get()));
}

}  // namespace
}  // namespace base
