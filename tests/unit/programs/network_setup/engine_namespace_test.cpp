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
  write_program("unshare", "sleep 1000 >/dev/null 2>&1 & echo $$ $! >" + at("ids.new") + "; mv " + at("ids.new") + " " +
                               at("ids") + "; wait");
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
  std::filesystem::create_directory(at("taken.new"));
  std::ofstream(at("taken.new/file"));
  const auto found = engine_namespace::of_init(loop_.executor(), "/bin/true", at("taken"));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, std::errc::is_a_directory) << found.error().message();
  EXPECT_EQ(children(), before);
}

// It may name a living init, which a second engine would run beside.
TEST_F(engine_namespace_test, no_init_starts_if_the_file_of_an_earlier_run_cannot_be_read) {
  write_program("unshare", "touch " + at("started"));
  std::filesystem::create_directory(at("pid"));
  const auto found = engine_namespace::of_init(loop_.executor(), "/bin/true", at("pid"));
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message().find("not a regular file"), std::string::npos) << found.error().message();
  EXPECT_FALSE(std::filesystem::exists(at("started")));
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
  write_program("parent", "sleep 1000 >/dev/null 2>&1 & echo $! >" + at("id.new") + "; mv " + at("id.new") + " " +
                              at("id") + "; wait");
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

// ---- The file of an earlier run

class earlier_run_test : public engine_namespace_test {
 protected:
  void SetUp() override {
    engine_namespace_test::SetUp();
    if (IsSkipped()) return;
    // The init of this run writes what it was given; its child is what a real one runs.
    write_program("unshare", "echo \"$@\" >" + at("arguments") + "; exec sleep 1000");
    std::filesystem::create_directory(at("earlier"));
  }
  void TearDown() override {
    if (found_ && *found_) {
      ::kill((*found_)->process(), SIGKILL);
      loop_.run_until([&] { return ::kill((*found_)->process(), 0) != 0 || is_reaped((*found_)->process()); });
    }
    found_.reset();
    engine_namespace_test::TearDown();
  }
  static bool is_reaped(pid_t child) { return ::waitpid(child, nullptr, WNOHANG) != 0; }
  void run() { found_.emplace(engine_namespace::of_init(loop_.executor(), "/bin/wsl-init", at("pid"))); }
  [[nodiscard]] pid_t noted() const {
    return base::parse_number<pid_t>(base::trim(base::read_file(at("pid")).value_or(""))).value_or(0);
  }
  // Whether a new one starts, and the file names it, if the file has this text before. It ends.
  testing::AssertionResult starts_a_new_one(const std::string& text) {
    std::ofstream(at("pid")) << text;
    run();
    if (!*found_) return testing::AssertionFailure() << found_->error().message();
    const auto made = (*found_)->process();
    const bool is_named = noted() == made;
    ::kill(made, SIGKILL);
    const bool is_ours = loop_.run_until([&] { return is_reaped(made); });
    found_.reset();
    return is_named && is_ours ? testing::AssertionSuccess() : testing::AssertionFailure() << "took " << made;
  }
  // A program of this name, which waits.
  base::result<os::child_program> start_named(std::vector<std::string> argv, int net_namespace) {
    write_program(argv[0], "while :; do sleep 0.05; done");
    argv[0] = at(argv[0]);
    return os::child_program::start(loop_.executor(), {.argv = std::move(argv), .net_namespace = net_namespace});
  }
  // As of_init() starts unshare. The shell that runs its place comes first in the command line.
  base::result<os::child_program> start_earlier(int net_namespace) {
    return start_named({"earlier/unshare", "--pid", "--mount-proc", "--fork", "--propagation", "slave", "/bin/old"},
                       net_namespace);
  }

  std::optional<base::result<engine_namespace>> found_;
};

TEST_F(earlier_run_test, without_one_the_program_starts_in_a_namespace_of_its_own_and_its_id_is_noted_for_root) {
  run();
  ASSERT_TRUE(*found_) << found_->error().message();
  EXPECT_EQ(noted(), (*found_)->process());
  struct stat about{};
  ASSERT_EQ(::stat(at("pid").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
  const auto ours = os::net_namespace_of(::getpid()), theirs = os::net_namespace_of((*found_)->process());
  ASSERT_TRUE(ours && theirs);
  EXPECT_FALSE(os::is_same_namespace((*found_)->fd(), ours->get()));
  EXPECT_TRUE(os::is_same_namespace((*found_)->fd(), theirs->get()));
  ASSERT_TRUE(loop_.run_until([&] { return !base::read_file(at("arguments")).value_or("").empty(); }));
  EXPECT_EQ(*base::read_file(at("arguments")), "--pid --mount-proc --fork --propagation slave /bin/wsl-init\n");
}

TEST_F(earlier_run_test, a_living_one_is_taken_and_no_second_one_starts) {
  const auto other = os::make_net_namespace();
  if (!other) GTEST_SKIP() << other.error().message();
  const auto earlier = start_earlier(other->get());
  ASSERT_TRUE(earlier);
  for (const auto* after : {"", "\n"}) {
    std::ofstream(at("pid")) << earlier->pid() << after;
    const auto found = engine_namespace::of_init(loop_.executor(), "/bin/wsl-init", at("pid"));
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(found->process(), earlier->pid());
    EXPECT_TRUE(os::is_same_namespace(found->fd(), other->get()));
  }
}

// The number may be another process' by now.
TEST_F(earlier_run_test, other_text_and_a_process_of_our_namespace_are_not_taken) {
  const auto ours = start_earlier(-1);
  ASSERT_TRUE(ours);
  for (const auto& text : {std::to_string(ours->pid()), std::string("1"), std::string("0"), std::string("-1"),
                           std::string("4194305"), std::string("x"), std::string(), std::string(100'000, '9')})
    EXPECT_TRUE(starts_a_new_one(text)) << text.substr(0, 20);
}

TEST_F(earlier_run_test, a_process_with_another_command_is_not_taken) {
  const auto other = os::make_net_namespace();
  if (!other) GTEST_SKIP() << other.error().message();
  const std::vector<std::vector<std::string>> commands{
      {"stranger"},
      {"stranger", "--pid", "--mount-proc", "--fork", "--propagation", "slave", "/bin/init"},
      {"earlier/unshare", "--net", "--fork", "sleep", "600"},
      {"earlier/unshare", "--pid", "--mount-proc", "--fork", "--propagation", "slave"},
      {"earlier/unshare", "--pid", "--mount-proc", "--fork", "--propagation", "private", "/bin/init"}};
  for (const auto& argv : commands) {
    const auto stranger = start_named(argv, other->get());
    ASSERT_TRUE(stranger);
    EXPECT_TRUE(starts_a_new_one(std::to_string(stranger->pid()))) << testing::PrintToString(argv);
  }
}

TEST_F(earlier_run_test, its_end_is_noticed) {
  run();
  ASSERT_TRUE(*found_);
  bool ended = false;
  auto wait = [](engine_namespace& one, bool& flag) -> async::task<> {
    static_cast<void>(co_await one.ended());
    flag = true;
  };
  loop_.spawn(wait(**found_, ended));
  loop_.settle();
  EXPECT_FALSE(ended);
  ::kill((*found_)->process(), SIGKILL);
  EXPECT_TRUE(loop_.run_until([&] { return ended; }));
}

TEST_F(engine_namespace_test, a_process_that_has_gone_is_an_error_with_its_number) {
  pid_t gone = 0;
  {
    const auto child = sleep_in(-1);
    ASSERT_TRUE(child);
    gone = child->pid();
  }
  const auto found = engine_namespace::of_process(loop_.executor(), gone);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message().find(std::to_string(gone)), std::string::npos);
}

TEST_F(engine_namespace_test, a_systemctl_that_fails_is_asked_once_a_second_and_named_once) {
  write_program("systemctl", "echo asked >>" + at("asked") + "; echo 'no such bus' >&2; exit 1");
  testing::internal::CaptureStderr();
  auto wait = []() -> async::task<> { static_cast<void>(co_await engine_namespace::of_service("engine.service")); };
  loop_.spawn(wait());
  const auto times = [this] { return base::read_file(at("asked")).value_or("").size() / 6; };
  for (std::size_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(loop_.run_until([&] { return times() == i; })) << i;
    loop_.run_until([] { return false; }, 50ms);  // it has said so, and waits
    EXPECT_EQ(times(), i);
    loop_.pass_time(1s);
  }
  loop_.stop();
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("no process service=engine.service"), std::string::npos) << log;
  EXPECT_NE(log.find("no such bus"), std::string::npos);
  EXPECT_EQ(log.find("no such bus"), log.rfind("no such bus"));
}

}  // namespace
}  // namespace network_setup
