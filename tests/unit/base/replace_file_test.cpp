#include "base/replace_file.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "base/read_file.hpp"
#include "tests/support/temp_dir.hpp"

namespace base {
namespace {

class replace_file_test : public testing::Test {
 protected:
  std::string content(const std::filesystem::path& file) { return read_file(file.string()).value_or("<unreadable>"); }
  support::temp_dir directory_;
  std::filesystem::path file_ = directory_ / "file";
};

TEST_F(replace_file_test, writes_and_replaces_for_its_owner_alone) {
  ASSERT_TRUE(replace_file(file_, "one"));
  ASSERT_TRUE(replace_file(file_, "two"));
  EXPECT_EQ(content(file_), "two");
  EXPECT_FALSE(std::filesystem::exists(directory_ / "file.new"));
  struct stat is{};
  ASSERT_EQ(::stat(file_.c_str(), &is), 0);
  EXPECT_EQ(is.st_mode & 0777, 0600U);
}

TEST_F(replace_file_test, follows_no_link) {
  std::ofstream(directory_ / "other") << "not ours";
  std::filesystem::create_symlink(directory_ / "other", file_);
  std::filesystem::create_symlink(directory_ / "other", directory_ / "file.new");
  ASSERT_TRUE(replace_file(file_, "ours"));
  EXPECT_EQ(content(directory_ / "other"), "not ours");
  EXPECT_FALSE(std::filesystem::is_symlink(file_));
  EXPECT_EQ(content(file_), "ours");
}

TEST_F(replace_file_test, says_why_not_and_leaves_the_old_file) {
  ASSERT_TRUE(replace_file(file_, "old"));
  std::filesystem::create_directory(directory_ / "file.new");
  EXPECT_THAT(replace_file(file_, "new").error().message(), testing::HasSubstr("file.new"));
  EXPECT_EQ(content(file_), "old");
  EXPECT_FALSE(replace_file(directory_ / "none" / "file", "text"));
}

TEST_F(replace_file_test, leaves_no_other_file_when_it_cannot_rename) {
  std::filesystem::create_directory(file_);
  EXPECT_EQ(replace_file(file_, "text").error().code, std::errc::is_a_directory);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "file.new"));
}

TEST_F(replace_file_test, leaves_the_old_file_alone_on_a_full_disk) {
  ASSERT_TRUE(replace_file(file_, "old"));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit full{2, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &full);
  const auto written = replace_file(file_, "new text");
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(written.error().code, std::errc::file_too_large);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "file.new"));
  EXPECT_EQ(content(file_), "old");
}

}  // namespace
}  // namespace base
