// With a script in the place of systemctl, and processes of the test in namespaces of its own; needs root.
#include "programs/network_setup/engine_namespace.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>

#include "base/read_file.hpp"
#include "base/text.hpp"
#include "os/child_program.hpp"
#include "os/namespaces.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace network_setup {
namespace {

using namespace std::chrono_literals;

class engine_namespace_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    path_before_ = ::getenv("PATH");
    ::setenv("PATH", (directory_.path().string() + ":" + path_before_).c_str(), 1);
  }
  void TearDown() override {
    loop_.stop();
    if (!path_before_.empty()) ::setenv("PATH", path_before_.c_str(), 1);
  }
  void write_program(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name) << "#!/bin/sh\n" << text << "\n";
    std::filesystem::permissions(directory_ / name, std::filesystem::perms::owner_all);
  }
  [[nodiscard]] std::string at(const std::string& name) const { return (directory_ / name).string(); }
  // A zombie has ended: where the process that adopted it does not reap, it stays.
  [[nodiscard]] static bool has_ended(std::string_view id) {
    const auto stat = base::read_file("/proc/" + std::string(id) + "/stat");
    return !stat || stat->find(") Z ") != std::string::npos;
  }
  base::result<os::child_program> sleep_in(int net_namespace) {
    return os::child_program::start(loop_.executor(), {.argv = {"sleep", "100"}, .net_namespace = net_namespace});
  }

  support::temp_dir directory_;
  std::string path_before_;
  support::event_loop loop_;
};

// As just after the fork: the process is still in the namespace of systemd.
TEST_F(engine_namespace_test, a_service_is_awaited_until_it_has_left_the_default_namespace) {
  const auto made = os::make_net_namespace();
  if (!made) GTEST_SKIP() << made.error().message();
  const auto early = sleep_in(-1), late = sleep_in(made->get());
  ASSERT_TRUE(early && late);
  std::ofstream(at("pid")) << early->pid();
  write_program("systemctl", "cat " + at("pid") + "; echo asked >>" + at("asked"));
  const auto times_asked = [this] { return base::read_file(at("asked")).value_or("").size() / 6; };

  std::optional<base::result<engine_namespace>> found;
  auto keep = [](std::optional<base::result<engine_namespace>>& into) -> async::task<> {
    into.emplace(co_await engine_namespace::of_service("engine.service"));
  };
  loop_.spawn(keep(found));
  ASSERT_TRUE(loop_.run_until([&] { return times_asked() == 1; }));
  ASSERT_TRUE(loop_.run_until([&] {
    loop_.pass_time(1s);
    return times_asked() >= 3;
  }));
  EXPECT_FALSE(found);
  std::ofstream(at("pid.new")) << late->pid();
  std::filesystem::rename(at("pid.new"), at("pid"));
  ASSERT_TRUE(loop_.run_until([&] {
    loop_.pass_time(1s);
    return found.has_value();
  }));
  ASSERT_TRUE(*found);
  EXPECT_EQ((*found)->process(), late->pid());
  EXPECT_TRUE(os::is_same_namespace((*found)->fd(), made->get()));
}

// unshare is a shell here; it writes its process id and its child's.
TEST_F(engine_namespace_test, what_unshare_runs_ends_with_it) {
  write_program("unshare",
                "sleep 1000 & echo $$ $! >" + at("ids.new") + "; mv " + at("ids.new") + " " + at("ids") + "; wait");
  const auto started = os::child_program::start(loop_.executor(), {.argv = {"unshare"}, .survives = true});
  ASSERT_TRUE(started);
  ASSERT_TRUE(loop_.run_until([&] { return !base::read_file(at("ids")).value_or("").empty(); }));
  kill_with_children(started->pid());
  const auto ids = base::read_file(at("ids")).value();
  const auto words = base::split(base::trim(ids), ' ');
  ASSERT_EQ(words.size(), 2U);
  EXPECT_EQ(words[0], std::to_string(started->pid()));
  for (const auto word : words) EXPECT_TRUE(loop_.run_until([&] { return has_ended(word); })) << word;
}

TEST_F(engine_namespace_test, an_init_whose_id_cannot_be_written_ends) {
  const auto children = [] { return base::read_file("/proc/thread-self/children").value(); };
  const auto before = children();
  write_program("unshare", "exec sleep 1000");
  std::filesystem::create_directory(at("taken"));
  std::ofstream(at("taken/file"));
  const auto found = engine_namespace::of_init(loop_.executor(), "/bin/true", at("taken"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, std::errc::is_a_directory) << found.error().message();
  EXPECT_EQ(children(), before);
}

}  // namespace
}  // namespace network_setup
