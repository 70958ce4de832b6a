#include "ports/journal.hpp"

#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "tests/support/temp_dir.hpp"

namespace ports {
namespace {

class journal_test : public testing::Test {
 protected:
  journal open(const std::string& boot = "boot-1") const {
    auto opened = journal::open(directory_.path(), "host-switch", boot);
    EXPECT_TRUE(opened) << opened.error().message();
    return std::move(*opened);
  }
  static forward on(std::uint16_t port) {
    return {{net::protocol::tcp, net::address::any_v4(), port}, 0, source_id::docker, {}};
  }

  support::temp_dir directory_;
};

// No file grows beyond `bytes` meanwhile, as on a full disk.
class full_disk {
 public:
  explicit full_disk(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit full{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
  }
  full_disk(const full_disk&) = delete;
  full_disk& operator=(const full_disk&) = delete;
  ~full_disk() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

// What an earlier run has exposed stays known, for a run that can read it.
TEST_F(journal_test, a_file_that_cannot_be_read_is_an_error_and_stays_as_it_is) {
  const auto path = directory_ / "host-switch.journal";
  std::filesystem::create_directory(path);
  EXPECT_FALSE(journal::open(directory_.path(), "host-switch", "boot-1"));
  std::filesystem::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(journal::open(directory_.path(), "host-switch", "boot-1")) << "and nothing waits for a writer";
  std::filesystem::remove(path);
  {
    auto j = open();
    const std::vector adds{on(1)};
    ASSERT_TRUE(j.record(adds));
  }
  std::filesystem::resize_file(path, (64 << 20) + 1);
  EXPECT_FALSE(journal::open(directory_.path(), "host-switch", "boot-1")) << "too large";
  EXPECT_EQ(std::filesystem::file_size(path), (64 << 20) + 1);
}

TEST_F(journal_test, a_pipe_in_the_place_of_the_new_file_holds_nothing_up) {
  ASSERT_EQ(::mkfifo((directory_ / "host-switch.journal.new").c_str(), 0600), 0);
  auto j = open();
  const std::vector adds{on(1)};
  EXPECT_TRUE(j.record(adds));
  EXPECT_TRUE(std::filesystem::is_regular_file(directory_ / "host-switch.journal"));
}

TEST_F(journal_test, remembers_what_was_recorded_and_not_erased) {
  {
    auto j = open();
    EXPECT_THAT(j.remembered(), testing::IsEmpty());
    const std::vector adds{on(1), on(2)};
    ASSERT_TRUE(j.record(adds));
    const std::vector erased{on(1).key};
    ASSERT_TRUE(j.erase(erased));
  }
  auto j = open();
  EXPECT_THAT(j.remembered(), testing::ElementsAre(on(2)));
  EXPECT_TRUE(j.same_boot());
}

TEST_F(journal_test, writes_before_it_returns) {
  auto j = open();
  const std::vector adds{on(8080)};
  ASSERT_TRUE(j.record(adds));
  std::ifstream file(directory_ / "host-switch.journal");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(text, testing::HasSubstr("+ tcp 0.0.0.0 8080 0 docker\n"));
}

// The kernel has the line when record() returns, though no one has asked for the disk yet.
TEST_F(journal_test, a_kill_before_any_sync_loses_nothing) {
  const pid_t agent = ::fork();
  if (agent == 0) {
    auto j = open();
    const std::vector adds{on(8080)};
    if (j.record(adds) && j.unsynced()) ::raise(SIGKILL);
    ::_exit(1);
  }
  int ended = 0;
  ASSERT_EQ(::waitpid(agent, &ended, 0), agent);
  ASSERT_TRUE(WIFSIGNALED(ended));
  EXPECT_THAT(open().remembered(), testing::ElementsAre(on(8080)));
}

TEST_F(journal_test, is_behind_with_the_disk_until_it_is_asked_to_sync) {
  auto j = open();
  EXPECT_FALSE(j.unsynced());
  ASSERT_TRUE(j.record(std::vector{on(80)}));
  EXPECT_TRUE(j.unsynced());
  j.sync();
  EXPECT_FALSE(j.unsynced());
  ASSERT_TRUE(j.erase(std::vector{on(80).key}));
  EXPECT_TRUE(j.unsynced());
  j.flush();
  EXPECT_FALSE(j.unsynced());
}

TEST_F(journal_test, another_boot_is_told) {
  open("boot-1");
  EXPECT_FALSE(open("boot-2").same_boot());
  EXPECT_TRUE(open("boot-2").same_boot());
  EXPECT_FALSE(open("").same_boot());
}

TEST_F(journal_test, is_held_by_one_agent_only) {
  const auto first = open();
  const auto second = journal::open(directory_.path(), "host-switch", "boot-1");
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message(), testing::HasSubstr("another agent"));
}

TEST_F(journal_test, does_not_grow_without_bound) {
  auto j = open();
  const std::vector adds{on(80)};
  const std::vector keys{on(80).key};
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(j.record(adds));
    ASSERT_TRUE(j.erase(keys));
  }
  j.flush();
  EXPECT_LT(std::filesystem::file_size(directory_ / "host-switch.journal"), 300'000U);
}

TEST_F(journal_test, a_directory_that_cannot_be_made_is_an_error) {
  std::ofstream(directory_ / "file") << "x";
  EXPECT_FALSE(journal::open(directory_ / "file" / "below", "p", "b"));
}

TEST_F(journal_test, a_line_that_was_cut_off_spoils_no_later_one) {
  {
    auto j = open();
    ASSERT_TRUE(j.record(std::vector{on(1)}));
    {
      const full_disk disk(std::filesystem::file_size(directory_ / "host-switch.journal") + 5);
      EXPECT_FALSE(j.record(std::vector{on(2)}));
    }
    ASSERT_TRUE(j.record(std::vector{on(3)}));
  }
  EXPECT_THAT(open().remembered(), testing::ElementsAre(on(1), on(2), on(3)));
}

TEST_F(journal_test, on_a_full_disk_what_an_earlier_run_left_is_remembered) {
  ASSERT_TRUE(open().record(std::vector{on(1), on(2)}));
  {
    std::optional<journal> j;
    {
      const full_disk disk(5);
      j = open();
      EXPECT_THAT(j->remembered(), testing::ElementsAre(on(1), on(2)));
      EXPECT_TRUE(j->same_boot());
      EXPECT_FALSE(j->record(std::vector{on(3)}));
      EXPECT_FALSE(j->erase(std::vector{on(1).key}));
      EXPECT_FALSE(std::filesystem::exists(directory_ / "host-switch.journal.new"));
    }
    ASSERT_TRUE(j->record(std::vector{on(4)}));
  }
  EXPECT_THAT(open().remembered(), testing::ElementsAre(on(2), on(3), on(4)));
}

TEST_F(journal_test, on_a_read_only_disk_what_an_earlier_run_left_is_remembered) {
  bool mounted = false;
  std::thread([&] {  // whose mount namespace is its own
    mounted = ::unshare(CLONE_FS | CLONE_NEWNS) == 0 &&
              ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
              ::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, nullptr) == 0;
    if (!mounted) return;
    ASSERT_TRUE(open().record(std::vector{on(1)}));
    ASSERT_EQ(::mount(nullptr, directory_.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    auto j = open();
    EXPECT_THAT(j.remembered(), testing::ElementsAre(on(1)));
    EXPECT_FALSE(j.record(std::vector{on(2)}));
  })
      .join();
  if (!mounted) GTEST_SKIP() << "needs a mount namespace of its own, so root";
}

}  // namespace
}  // namespace ports
