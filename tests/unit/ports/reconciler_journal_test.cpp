// The reconciler and a disk that is slow, full or fails.
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "base/log.hpp"
#include "base/read_file.hpp"
#include "os/file_watch.hpp"
#include "tests/unit/ports/reconciler_fixture.hpp"

// In front of libc's function: what the disk is asked for, and whether it fails.
static std::atomic<int> disk_syncs;
static std::atomic<bool> disk_fails;
extern "C" int fdatasync(int fd) {
  ++disk_syncs;
  if (disk_fails) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace ports {
namespace {

using testing::ElementsAre;

class reconciler_journal_test : public reconciler_test {
 protected:
  void TearDown() override {
    disk_fails = false;
    reconciler_test::TearDown();
  }
};

// The thread that syncs would wake up in front of the request.
TEST_F(reconciler_journal_test, the_disk_follows_the_request_and_waits_for_no_answer) {
  start();
  ASSERT_TRUE(soon([this] { return reconciler_->machine().listing().status() == peer_status::synced; }));
  const int before = disk_syncs;
  int at_the_request = -1;
  script_.on_apply = [&](const operation&) { at_the_request = disk_syncs; };
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  EXPECT_EQ(at_the_request, before);
  EXPECT_TRUE(soon([&] { return disk_syncs > before; }));

  script_.hangs = true;
  const int later = disk_syncs;
  want({on(80), on(81)});
  EXPECT_TRUE(soon([&] { return disk_syncs > later; }));
  EXPECT_FALSE(script_.held.contains(on(81).key));
}

TEST_F(reconciler_journal_test, one_sync_is_enough_for_a_burst) {
  start();
  ASSERT_TRUE(soon([this] { return reconciler_->machine().listing().status() == peer_status::synced; }));
  const int before = disk_syncs;
  forward_map many;
  for (std::uint16_t port = 1; port <= 500; ++port) many[on(port).key] = on(port);
  reconciler_->want(many, all_sources, 1);
  ASSERT_TRUE(soon([this] { return script_.held.size() == 500; }));
  ASSERT_TRUE(soon([&] { return disk_syncs > before; }));
  EXPECT_LT(disk_syncs - before, 250) << "one for each batch of the sink's two";
}

// The next fdatasync could succeed though lines of the failed one are lost: the whole file is written anew.
TEST_F(reconciler_journal_test, a_disk_that_fails_is_reported_once_and_gets_the_whole_file_when_it_works_again) {
  const auto log = (directory_ / "log").string();
  ASSERT_TRUE(base::log::set_file(log));
  const auto log_has = [&](std::string_view text) { return base::read_file(log).value_or("").contains(text); };
  start();
  ASSERT_TRUE(soon([this] { return reconciler_->machine().listing().status() == peer_status::synced; }));
  disk_fails = true;
  want({on(80)});
  EXPECT_TRUE(soon([&] { return log_has("cannot write the journal, retrying reason=\"sync the journal: "); }));
  EXPECT_THAT(reconciler_->journal_trouble(), testing::HasSubstr("sync the journal: "));
  EXPECT_TRUE(holds_soon({80})) << "the journal does not hold up the forwards";
  want({on(80), on(81)});
  EXPECT_TRUE(holds_soon({80, 81}));
  want({on(80), on(81), on(82)});
  EXPECT_TRUE(holds_soon({80, 81, 82}));
  EXPECT_FALSE(log_has("ended"));
  disk_fails = false;
  want({on(80), on(81), on(82), on(83)});
  EXPECT_TRUE(soon([&] { return log_has("cannot write the journal ended"); }));
  EXPECT_EQ(reconciler_->journal_trouble(), "");
  EXPECT_TRUE(holds_soon({80, 81, 82, 83}));
  const auto text = base::read_file(log).value_or("");
  EXPECT_EQ(text.find("retrying"), text.rfind("retrying")) << text;
  crash();
  const auto book = journal::open(directory_.path(), "scripted", "boot");
  ASSERT_TRUE(book);
  EXPECT_THAT(book->remembered(), ElementsAre(on(80), on(81), on(82), on(83)));
  ASSERT_TRUE(base::log::set_file("/dev/stderr"));
}

TEST_F(reconciler_journal_test, a_disk_that_fails_from_the_beginning_is_the_journals_trouble_until_it_works) {
  disk_fails = true;
  start();
  EXPECT_THAT(reconciler_->journal_trouble(), testing::HasSubstr("scripted.journal"));
  bool notified = false;
  auto wait = [](reconciler* watched, bool* flag) -> async::task<> {
    while (!watched->journal_trouble().empty()) co_await watched->changed().wait();
    *flag = true;
  };
  tasks_->spawn("watch", wait(reconciler_.get(), &notified));
  disk_fails = false;
  EXPECT_TRUE(soon([&] { return notified; }));
}

TEST_F(reconciler_journal_test, a_full_disk_is_the_journals_trouble_until_there_is_room) {
  bool mounted = false;
  std::thread([&] {  // whose mount namespace is its own
    mounted = ::unshare(CLONE_FS | CLONE_NEWNS) == 0 &&
              ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
              ::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, "size=64k") == 0;
    if (!mounted) return;
    start();
    ASSERT_TRUE(soon([this] { return reconciler_->machine().listing().status() == peer_status::synced; }));
    std::ofstream(directory_ / "other") << std::string(1 << 20, 'x');
    forward_map many;  // lines for more than a page, which the file has already
    for (std::uint16_t port = 1; port <= 500; ++port) many[on(port).key] = on(port);
    reconciler_->want(many, all_sources, 1);
    EXPECT_TRUE(soon([this] { return reconciler_->journal_trouble().contains("No space left"); }));
    EXPECT_TRUE(soon([this] { return script_.held.size() == 500; })) << "the journal does not hold up the forwards";
    std::filesystem::remove(directory_ / "other");
    many.erase(many.begin());
    reconciler_->want(many, all_sources, 1);
    EXPECT_TRUE(soon([this] { return reconciler_->journal_trouble().empty(); }));
    crash();
  })
      .join();
  if (!mounted) GTEST_SKIP() << "needs a mount namespace of its own, so root";
}

TEST_F(reconciler_journal_test, a_journal_that_cannot_be_opened_is_its_trouble) {
  reconciler without(context_.get_executor(), std::make_unique<scripted_sink>(script_), std::nullopt);
  EXPECT_EQ(without.journal_trouble(), "") << "none is wanted";
  without.lack_journal({make_error_code(std::errc::read_only_file_system), "create /state"});
  EXPECT_THAT(without.journal_trouble(), testing::StartsWith("create /state: "));
}

// No write of the whole file succeeds meanwhile: each line is in the old one.
TEST_F(reconciler_journal_test, a_kill_while_the_disk_fails_loses_nothing) {
  start();
  ASSERT_TRUE(soon([this] { return reconciler_->machine().listing().status() == peer_status::synced; }));
  disk_fails = true;
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  const int before = disk_syncs;
  ASSERT_TRUE(soon([&] { return disk_syncs > before + 2; })) << "the file is written anew without a further change";
  want({on(80), on(81)});
  ASSERT_TRUE(holds_soon({80, 81}));
  want({on(81), on(82)});
  ASSERT_TRUE(holds_soon({81, 82}));
  crash();
  const auto book = journal::open(directory_.path(), "scripted", "boot");
  ASSERT_TRUE(book);
  EXPECT_THAT(book->remembered(), ElementsAre(on(81), on(82)));
}

TEST_F(reconciler_journal_test, a_disk_that_works_again_gets_the_whole_file_without_a_change) {
  start();
  ASSERT_TRUE(soon([this] { return reconciler_->machine().listing().status() == peer_status::synced; }));
  disk_fails = true;
  const int before = disk_syncs;
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  ASSERT_TRUE(soon([&] { return disk_syncs > before; }));
  const auto path = directory_ / "scripted.journal";
  const auto inode = [&] { return os::identify(path).value_or(os::file_identity{}).inode; };
  const auto old = inode();
  disk_fails = false;
  EXPECT_TRUE(soon([&] { return inode() != old; }));
  EXPECT_TRUE(base::read_file(path).value_or("").contains("+ tcp 0.0.0.0 80 0 docker"));
}

}  // namespace
}  // namespace ports
