#include "sources/containerd/network_config.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temp_dir.hpp"

namespace containerd {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

constexpr std::size_t most_bytes = 1 << 20;

class network_config_test : public testing::Test {
 protected:
  static auto read(const std::filesystem::path& directory) { return read_network_config(directory.string()); }
  // An error, as opposed to "no such file".
  static std::string refusal(const std::filesystem::path& directory) {
    const auto text = read(directory);
    return text ? "read" : text.error().message();
  }
  void write(std::size_t bytes) const { std::ofstream(file_) << std::string(bytes, ' '); }

  support::temp_dir directory_;
  std::filesystem::path file_ = directory_ / "network-config.json";
};

TEST_F(network_config_test, a_file_or_directory_that_does_not_exist_is_no_error) {
  EXPECT_EQ(read(directory_.path()).value(), std::nullopt);
  EXPECT_EQ(read(directory_ / "absent").value(), std::nullopt);
  EXPECT_EQ(read("/nowhere/at/all").value(), std::nullopt);
  write(0);
  EXPECT_EQ(read(directory_.path()).value(), "") << "an empty file exists";
}

TEST_F(network_config_test, a_file_has_one_mebibyte_at_most) {
  write(most_bytes);
  const auto text = read(directory_.path());
  ASSERT_TRUE(text) << text.error().message();
  EXPECT_EQ(text->value().size(), most_bytes);
  write(most_bytes + 1);
  EXPECT_THAT(refusal(directory_.path()), HasSubstr("larger than 1048576 bytes"));
}

TEST_F(network_config_test, only_an_absolute_path_names_a_state_directory) {
  for (const auto& path : {""s, "."s, "etc"s, "../etc"s})
    EXPECT_THAT(refusal(path), HasSubstr("not an absolute path")) << path;
}

// open(2) would end the path at the NUL, in a directory that the label does not name.
TEST_F(network_config_test, a_path_with_a_nul_names_no_state_directory) {
  write(2);
  EXPECT_FALSE(read_network_config(directory_.path().string() + "\0/elsewhere"s));
}

TEST_F(network_config_test, a_state_directory_is_a_directory_and_no_link_to_one) {
  write(2);
  EXPECT_THAT(refusal(file_), HasSubstr("the state directory: Not a directory"));
  EXPECT_THAT(refusal(file_ / "below"), HasSubstr("Not a directory"));
  std::filesystem::create_directory_symlink(directory_.path(), directory_ / "link");
  EXPECT_THAT(refusal(directory_ / "link"), HasSubstr("the state directory"));
}

TEST_F(network_config_test, only_a_regular_file_is_read) {
  std::ofstream(directory_ / "secret") << "secret";
  std::filesystem::create_symlink(directory_ / "secret", file_);
  EXPECT_THAT(refusal(directory_.path()), HasSubstr("network-config.json")) << "a link leads anywhere";
  std::filesystem::remove(file_);
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(directory_.path()), HasSubstr("not a regular file"));
  std::filesystem::remove(file_);
  std::filesystem::create_directory(file_);
  EXPECT_THAT(refusal(directory_.path()), HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace containerd
