// The frame, around a daemon that does nothing, in a process of its own: signals and the log are the process's.
#include "program/daemon.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>

#include "base/log.hpp"

namespace program {
namespace {

using namespace std::chrono_literals;

class idle : public daemon {
 public:
  [[nodiscard]] about info() const override { return {.name = "idle", .description = "Does nothing."}; }
  void declare(program::flag_set& flags) override { flags.add("wrong", wrong_, "What is wrong: check or open."); }
  [[nodiscard]] rights needs() const override { return {{}, calls_of_service()}; }
  base::result<> check(const command_line&) override { return wrong_ == "check" ? base::fail("cannot be") : good(); }
  base::result<> open(const async::executor&) override { return wrong_ == "open" ? base::fail("cannot open") : good(); }
  std::string start(async::task_group&) override {
    base::log::debug("idle", "a detail");
    return "at=home";
  }
  [[nodiscard]] std::string summary() const override { return "things=3"; }

 private:
  static base::result<> good() { return {}; }
  std::string wrong_;
};

// Asks itself to stop, as soon as it is asked anything.
class stopped_early final : public idle {
 public:
  stopped_early() { ::raise(SIGTERM); }
};
class stopped_while_it_opens final : public idle {
  base::result<> open(const async::executor&) override {
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGINT);
    sigaddset(&both, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &both, nullptr);
    ::raise(SIGTERM);
    ::raise(SIGINT);
    ::sigprocmask(SIG_UNBLOCK, &both, nullptr);  // both come at the same moment, and are one request
    return {};
  }
};
class deaf final : public idle {
  std::string start(async::task_group&) override {
    ::raise(SIGTERM);
    return "";
  }
  async::task<> shut_down(async::clock::time_point) override {
    while (true) ::raise(SIGTERM);
    co_return;
  }
};
class hanging final : public idle {
  std::string start(async::task_group&) override {
    ::raise(SIGTERM);
    return "";
  }
  async::task<> shut_down(async::clock::time_point) override {
    while (true) ::pause();
    co_return;
  }
};

// Destroys nothing at its end.
class ending_at_once : public idle {
 public:
  [[nodiscard]] bool ends_at_once() const override { return true; }
  std::string start(async::task_group&) override {
    ::raise(SIGTERM);
    return "";
  }
};
class leaking final : public ending_at_once {
  std::string start(async::task_group& tasks) override {
    for (int i = 0; i < 100; ++i) lost_ = std::malloc(64);
    lost_ = nullptr;
    return ending_at_once::start(tasks);
  }
  void* volatile lost_ = nullptr;
};

template <class Daemon>
[[noreturn]] void be(std::vector<const char*> words = {}) {
  words.insert(words.begin(), "idle");
  ::_exit(run<Daemon>(static_cast<int>(words.size()), words.data()));
}

TEST(daemon_death, a_signal_is_a_request_to_stop_however_early_it_comes) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(be<stopped_early>(), testing::ExitedWithCode(exit_ok),
              "INFO idle: ready version=" GUESTAGENT_VERSION
              " at=home\n.* INFO idle: stopping signal=15 things=3\n"
              ".* INFO idle: stopped\n");
  EXPECT_EXIT(be<stopped_while_it_opens>(), testing::ExitedWithCode(exit_ok), "stopping signal=(2|15) ");
}

TEST(daemon_death, a_second_request_ends_it_at_once) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(be<deaf>(), testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST(daemon_death, what_hangs_does_not_keep_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto began = async::clock::now();
  EXPECT_EXIT(be<hanging>(), testing::ExitedWithCode(exit_ok), "shutdown deadline exceeded");
  EXPECT_LT(async::clock::now() - began, 15s);
}

// LeakSanitizer looks at a program's end, which such a program does not come to by itself.
TEST(daemon_death, what_ends_at_once_is_searched_for_leaks_all_the_same) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(be<ending_at_once>(), testing::ExitedWithCode(exit_ok), "stopped\n$");
#if __has_feature(address_sanitizer)
  EXPECT_EXIT(be<leaking>(), testing::ExitedWithCode(exit_failure), "LeakSanitizer: detected memory leaks");
#else
  EXPECT_EXIT(be<leaking>(), testing::ExitedWithCode(exit_ok), "stopped\n$");
#endif
}

TEST(daemon_death, says_why_it_does_not_start) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(be<idle>({"-h"}), testing::ExitedWithCode(exit_ok), "-wrong(.|\n)*-debug|-debug(.|\n)*-wrong");
  EXPECT_EXIT(be<idle>({"-nosuch"}), testing::ExitedWithCode(exit_usage), "not defined: -nosuch\nUsage: idle");
  EXPECT_EXIT(be<idle>({"-wrong=check"}), testing::ExitedWithCode(exit_usage), "^idle: cannot be\n$");
  EXPECT_EXIT(be<idle>({"-wrong=open"}), testing::ExitedWithCode(exit_failure), "^idle: cannot open\n$");
  EXPECT_EXIT(be<idle>({"-logfile=/"}), testing::ExitedWithCode(exit_failure),
              "^idle: cannot open the log file /: Is a directory\n$");
  EXPECT_EXIT(be<idle>({"-logfile=/nosuch/log"}), testing::ExitedWithCode(exit_failure),
              "^idle: cannot open the log file /nosuch/log: No such file or directory\n$");
}

// With fewer it aborted somewhere in its start.
TEST(daemon_death, does_not_start_with_too_few_descriptors) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto start_with = [](rlim_t descriptors) {
    const rlimit limit{descriptors, descriptors};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    be<stopped_while_it_opens>();
  };
  EXPECT_EXIT(start_with(63), testing::ExitedWithCode(1), "idle: at most 63 descriptors are allowed, 64 are needed");
  EXPECT_EXIT(start_with(64), testing::ExitedWithCode(0), "stopped");
  EXPECT_EXIT(start_with(0), testing::ExitedWithCode(1), "^idle: at most 0 descriptors are allowed, 64 are needed");
}

TEST(daemon_death, the_log_goes_to_the_file_and_is_as_long_as_asked) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(be<stopped_early>({"-logfile=/dev/null", "-debug"}), testing::ExitedWithCode(exit_ok), "^$");
  EXPECT_EXIT(be<stopped_early>({"-debug"}), testing::ExitedWithCode(exit_ok), "^[^ ]+ DEBUG idle: a detail\n");
  EXPECT_EXIT(be<stopped_early>(), testing::ExitedWithCode(exit_ok), "^[^ ]+ INFO idle: ready ");
}

}  // namespace
}  // namespace program
