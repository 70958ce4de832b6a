#include "sources/containerd/config_reader.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>

#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hanging_directory.hpp"

namespace containerd {
namespace {

using namespace std::chrono_literals;

class config_reader_test : public testing::Test {
 protected:
  auto read(const std::filesystem::path& directory, const std::string& name_space = "default") {
    return loop_.run(reader_.read(directory.string(), name_space));
  }
  // Beside directories that hang, another one has a tenth of a second: little for a busy machine, so it is asked again.
  bool is_read(const std::filesystem::path& directory, const std::string& name_space = "default") {
    return support::eventually(30s, [&] {
      const auto text = read(directory, name_space);
      return text && *text == std::nullopt;
    });
  }

  support::temp_dir healthy_;
  support::event_loop loop_;
  config_reader reader_;
};

TEST_F(config_reader_test, reads_what_is_there) {
  EXPECT_EQ(read(healthy_.path()).value(), std::nullopt);
  std::ofstream(healthy_ / "network-config.json") << "{}";
  EXPECT_EQ(read(healthy_.path()).value(), "{}");
  EXPECT_EQ(read("relative").error().message(), "the state directory is not an absolute path");
}

TEST_F(config_reader_test, a_directory_that_hangs_is_waited_for_once) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  EXPECT_EQ(read(dead.path()).error().code, std::errc::timed_out);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(read(dead.path()).error().code, std::errc::timed_out);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 60s) << "a tenth of a second each would take longer";
  EXPECT_TRUE(is_read(healthy_.path())) << "others are read as always";
  dead.release();
  EXPECT_TRUE(support::eventually(10s, [&] { return read(dead.path()).error().code == std::errc::not_connected; }));
}

// A label may name any directory: those of one namespace take no other's readings, and none of the usual places'.
TEST_F(config_reader_test, directories_that_hang_take_their_namespaces_share_alone) {
  support::hanging_directory dead;
  if (!dead.there()) GTEST_SKIP() << "needs root, and FUSE";
  testing::internal::CaptureStderr();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 32; ++i) EXPECT_FALSE(read(dead.path() / std::to_string(i), "attacker"));
  EXPECT_EQ(read(healthy_.path(), "attacker").error().message(),
            "too many state directories of the namespace hang: Connection timed out");
  EXPECT_TRUE(is_read(healthy_.path()));
  for (int i = 0; i < 64; ++i) EXPECT_FALSE(read(dead.path() / std::to_string(i), "n" + std::to_string(i)));
  EXPECT_FALSE(read(healthy_.path(), "default")) << "all that there are for unusual places are taken";
  EXPECT_TRUE(is_read("/var/lib/nerdctl/0/containers/attacker/a", "attacker"));
  const std::string log = testing::internal::GetCapturedStderr();
  const auto minutes = std::chrono::floor<std::chrono::minutes>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_LE(std::ranges::count(log, '\n'), 1 + minutes) << log;
  dead.release();
  EXPECT_TRUE(support::eventually(10s, [&] { return read(healthy_.path(), "attacker").has_value(); }));
}

TEST(usual_directory, is_where_root_alone_writes) {
  EXPECT_TRUE(is_usual_directory("/var/lib/nerdctl/1935db59/containers/default/a"));
  EXPECT_TRUE(is_usual_directory("/run/nerdctl/a"));
  for (const auto* other : {"", "/home/user/.local/share/nerdctl/a", "/run/user/1000/a", "/var/lib/nerdctl/../../tmp/a",
                            "/var/lib/nerdctl-x/a", "//run/a", "var/lib/nerdctl/a", "/run/./user/1000"})
    EXPECT_FALSE(is_usual_directory(other)) << other;
}

}  // namespace
}  // namespace containerd
