#include "sources/containerd/config_reader.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hanging_directory.hpp"

namespace containerd {
namespace {

using namespace std::chrono_literals;

class ConfigReader : public testing::Test {
 protected:
  auto read(const std::filesystem::path& directory) { return loop_.run(reader_.read(directory.string())); }

  support::temp_dir healthy_;
  support::event_loop loop_;
  config_reader reader_;
};

TEST_F(ConfigReader, ReadsWhatIsThere) {
  EXPECT_EQ(read(healthy_.path()).value(), std::nullopt);
  std::ofstream(healthy_ / "network-config.json") << "{}";
  EXPECT_EQ(read(healthy_.path()).value(), "{}");
  EXPECT_EQ(read("relative").error().message(), "the state directory is no absolute path");
}

TEST_F(ConfigReader, ADirectoryThatHangsIsWaitedForOnce) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  EXPECT_EQ(read(dead.path()).error().code, std::errc::timed_out);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(read(dead.path()).error().code, std::errc::timed_out);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_EQ(read(healthy_.path()).value(), std::nullopt) << "others are read as always";
  dead.release();
  EXPECT_TRUE(support::eventually(10s, [&] { return read(dead.path()).error().code == std::errc::not_connected; }));
}

}  // namespace
}  // namespace containerd
