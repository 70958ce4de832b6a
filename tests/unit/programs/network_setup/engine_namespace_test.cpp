// With a script in the place of systemctl, and processes of the test in namespaces of its own; needs root.
#include "programs/network_setup/engine_namespace.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

// As when -unshare-arg names no program: unshare ends before its namespace is looked at.
TEST_F(engine_namespace_test, the_end_of_unshare_is_reported_with_its_exit_code) {
  write_program("unshare", "exit 127");
  auto found = engine_namespace::of_init(loop_.executor(), "/no/such/init", at("pid"));
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(loop_.run(found->ended()), "unshare, or the program of -unshare-arg, ended with 127");
  EXPECT_TRUE(has_ended(std::to_string(found->process())));
}

TEST_F(engine_namespace_test, the_end_of_a_process_that_is_not_a_child_has_no_code) {
  write_program("parent", "sleep 1000 & echo $! >" + at("id.new") + "; mv " + at("id.new") + " " + at("id") + "; wait");
  const auto parent = os::child_program::start(loop_.executor(), {.argv = {at("parent")}});
  ASSERT_TRUE(parent);
  ASSERT_TRUE(loop_.run_until([&] { return !base::read_file(at("id")).value_or("").empty(); }));
  const auto text = base::read_file(at("id")).value();
  const auto id = base::parse_number<pid_t>(base::trim(text));
  ASSERT_TRUE(id);
  auto found = engine_namespace::of_process(loop_.executor(), *id);
  ASSERT_TRUE(found) << found.error().message();
  ::kill(*id, SIGKILL);
  EXPECT_EQ(loop_.run(found->ended()), "");
}

class pid_file_test : public engine_namespace_test {
 protected:
  void TearDown() override {
    for (const auto& one : made_) kill_with_children(one.process());
    engine_namespace_test::TearDown();
  }
  // unshare's place is taken by a program that waits.
  pid_t of_init() {
    auto found = engine_namespace::of_init(loop_.executor(), "/bin/init", at("pid"));
    if (!found) return -1;
    made_.push_back(std::move(*found));
    return made_.back().process();
  }
  // A process in a namespace of its own.
  std::optional<os::child_program> start_elsewhere(std::vector<std::string> argv) {
    const auto space = os::make_net_namespace();
    if (!space) return std::nullopt;
    auto started = os::child_program::start(loop_.executor(), {.argv = std::move(argv), .net_namespace = space->get()});
    if (!started) return std::nullopt;
    return std::move(*started);
  }

  std::vector<engine_namespace> made_;
};

// The file has the process id alone, for other programs.
TEST_F(pid_file_test, the_init_of_an_earlier_run_is_found_again) {
  write_program("unshare", "sleep 1000; :");
  const auto first = of_init();
  ASSERT_GT(first, 0);
  EXPECT_EQ(base::read_file(at("pid")).value_or(""), std::to_string(first));
  for (const auto* after : {"", "\n"}) {
    std::ofstream(at("pid")) << first << after;
    EXPECT_EQ(of_init(), first);
    made_.pop_back();
  }
}

TEST_F(pid_file_test, the_id_of_another_process_is_not_trusted) {
  write_program("unshare", "sleep 1000; :");
  const std::vector<std::vector<std::string>> others{
      {"unshare", "--net", "--fork", "sleep", "600"},
      {"unshare", "--pid", "--mount-proc", "--fork", "--propagation", "slave"},
      {"unshare", "--pid", "--mount-proc", "--fork", "--propagation", "private", "/bin/init"},
      {"sleep", "600"}};
  for (const auto& argv : others) {
    const auto other = start_elsewhere(argv);
    ASSERT_TRUE(other);
    std::ofstream(at("pid")) << other->pid();
    const auto found = of_init();
    EXPECT_GT(found, 0);
    EXPECT_NE(found, other->pid()) << testing::PrintToString(argv);
    EXPECT_EQ(base::read_file(at("pid")).value_or(""), std::to_string(found));
  }
}

}  // namespace
}  // namespace network_setup
