// The reconciler over a scripted sink: what the machine asks for reaches the sink, and the journal is one step ahead.
#include "ports/reconciler.hpp"

#include <gmock/gmock.h>

#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/read_file.hpp"
#include "os/file_watch.hpp"
#include "tests/support/temp_dir.hpp"

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

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

forward on(std::uint16_t port) {
  return {{net::protocol::tcp, net::address::any_v4(), port}, 0, source_id::docker, {}};
}
forward_map all(std::initializer_list<forward> forwards) {
  forward_map made;
  for (const auto& f : forwards) made[f.key] = f;
  return made;
}

// The requests that a test's sink gets, and its answers; outlives the sink.
struct script {
  explicit script(const async::executor& where) : event(where) {}
  async::condition event;
  std::set<port_key> held;
  bool down = false;
  bool hangs = false;
  bool restarted = false;
  bool closed = false;
  std::function<void(const operation&)> on_apply;
  std::set<std::uint16_t> busy;
  unsigned lists = 0;
};

class scripted_sink : public sink {
 public:
  explicit scripted_sink(script& s) : script_(s) {}
  std::string_view name() const override { return "scripted"; }
  sink_traits traits() const override { return {.workers = 2, .batch = 2, .shared = true, .announces_return = false}; }

  async::task<base::result<peer_state>> list() override {
    ++script_.lists;
    script_.event.notify_all();
    if (script_.down) co_return base::fail(std::errc::connection_refused, "scripted");
    peer_state state;
    for (const auto& key : script_.held) state.held.push_back({key});
    co_return state;
  }
  async::task<std::vector<outcome>> apply(std::vector<operation> batch) override {
    while (script_.hangs) co_await script_.event.wait();
    std::vector<outcome> outcomes;
    for (const auto& op : batch) outcomes.push_back(perform(op));
    script_.event.notify_all();
    co_return outcomes;
  }
  async::task<> changed() override {
    while (!script_.restarted) co_await script_.event.wait();
    script_.restarted = false;
  }
  async::task<> close() override {
    script_.closed = true;
    co_return;
  }

 private:
  outcome perform(const operation& op) {
    if (script_.on_apply) script_.on_apply(op);
    if (op.what == verb::add && script_.busy.contains(op.target.key.port))
      return {outcome_kind::conflict, "address already in use"};
    if (op.what == verb::add)
      script_.held.insert(op.target.key);
    else
      script_.held.erase(op.target.key);
    return {};
  }
  script& script_;
};

class reconciler_test : public testing::Test {
 protected:
  void TearDown() override {
    disk_fails = false;
    crash();
  }

  void start() {
    auto book = journal::open(directory_.path(), "scripted", "boot");
    ASSERT_TRUE(book) << book.error().message();
    reconciler_ = std::make_unique<reconciler>(context_.get_executor(), std::make_unique<scripted_sink>(script_),
                                               std::move(*book));
    tasks_ = std::make_unique<async::task_group>(context_.get_executor());
    tasks_->spawn("reconciler", reconciler_->run());
  }
  // Nothing is taken back, as after kill -9.
  void crash() {
    tasks_.reset();
    context_.restart();
    context_.run();
    reconciler_.reset();
  }
  void want(std::initializer_list<forward> forwards, source_set settled = all_sources) {
    reconciler_->want(all(forwards), settled, 1);
  }
  template <class Predicate>
  [[nodiscard]] bool soon(Predicate holds) {
    const auto deadline = async::clock::now() + seconds(10);
    context_.restart();
    while (!holds() && async::clock::now() < deadline) context_.run_one_for(milliseconds(50));
    return holds();
  }
  [[nodiscard]] bool holds_soon(std::set<std::uint16_t> ports) {
    return soon([&] {
      std::set<std::uint16_t> held;
      for (const auto& key : script_.held) held.insert(key.port);
      return held == ports;
    });
  }

  boost::asio::io_context context_{1};
  script script_{context_.get_executor()};
  support::temp_dir directory_;
  std::unique_ptr<reconciler> reconciler_;
  std::unique_ptr<async::task_group> tasks_;
};

TEST_F(reconciler_test, makes_the_peer_hold_what_is_wanted) {
  start();
  want({on(1), on(2), on(3), on(4), on(5)});
  EXPECT_TRUE(holds_soon({1, 2, 3, 4, 5}));
  want({on(2)});
  EXPECT_TRUE(holds_soon({2}));
}

// The thread that syncs would wake up in front of the request.
TEST_F(reconciler_test, the_disk_follows_the_request_and_waits_for_no_answer) {
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

TEST_F(reconciler_test, one_sync_is_enough_for_a_burst) {
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
TEST_F(reconciler_test, a_disk_that_fails_is_reported_once_and_gets_the_whole_file_when_it_works_again) {
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

TEST_F(reconciler_test, a_disk_that_fails_from_the_beginning_is_the_journals_trouble_until_it_works) {
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

TEST_F(reconciler_test, a_full_disk_is_the_journals_trouble_until_there_is_room) {
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

TEST_F(reconciler_test, a_journal_that_cannot_be_opened_is_its_trouble) {
  reconciler without(context_.get_executor(), std::make_unique<scripted_sink>(script_), std::nullopt);
  EXPECT_EQ(without.journal_trouble(), "") << "none is wanted";
  without.lack_journal({make_error_code(std::errc::read_only_file_system), "create /state"});
  EXPECT_THAT(without.journal_trouble(), testing::StartsWith("create /state: "));
}

// No write of the whole file succeeds meanwhile: each line is in the old one.
TEST_F(reconciler_test, a_kill_while_the_disk_fails_loses_nothing) {
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

TEST_F(reconciler_test, a_disk_that_works_again_gets_the_whole_file_without_a_change) {
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

TEST_F(reconciler_test, the_journal_names_a_forward_before_the_peer_is_asked) {
  std::string seen;
  script_.on_apply = [&](const operation&) {
    std::ifstream file(directory_ / "scripted.journal");
    seen.assign(std::istreambuf_iterator<char>(file), {});
  };
  start();
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  EXPECT_THAT(seen, testing::HasSubstr("+ tcp 0.0.0.0 80"));
}

TEST_F(reconciler_test, after_a_crash_it_removes_what_is_gone_and_touches_nothing_else) {
  script_.held.insert(on(22).key);
  start();
  want({on(80), on(81)});
  ASSERT_TRUE(holds_soon({22, 80, 81}));
  crash();
  unsigned operations = 0;
  script_.on_apply = [&](const operation&) { ++operations; };
  start();
  want({on(80)});
  EXPECT_TRUE(holds_soon({22, 80}));
  EXPECT_EQ(operations, 1U);
}

TEST_F(reconciler_test, a_peer_that_restarts_gets_everything_again) {
  start();
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  script_.held.clear();
  script_.restarted = true;
  script_.event.notify_all();
  EXPECT_TRUE(holds_soon({80}));
}

TEST_F(reconciler_test, a_peer_that_is_down_is_asked_until_it_is_there) {
  script_.down = true;
  start();
  want({on(80)});
  ASSERT_TRUE(soon([&] { return script_.lists >= 3; }));
  script_.down = false;
  EXPECT_TRUE(holds_soon({80}));
}

TEST_F(reconciler_test, a_busy_port_delays_no_other_and_is_exposed_when_it_is_free) {
  script_.busy = {80};
  start();
  want({on(80), on(81)});
  ASSERT_TRUE(holds_soon({81}));
  script_.busy.clear();
  EXPECT_TRUE(holds_soon({80, 81}));
}

TEST_F(reconciler_test, drain_takes_everything_back_and_closes_the_sink) {
  script_.held.insert(on(22).key);
  start();
  want({on(80), on(81)});
  ASSERT_TRUE(holds_soon({22, 80, 81}));
  tasks_->spawn("drain", reconciler_->drain(async::clock::now() + seconds(5)));
  EXPECT_TRUE(soon([&] { return script_.closed; }));
  EXPECT_TRUE(holds_soon({22}));
}

TEST_F(reconciler_test, drain_takes_back_what_is_just_being_added) {
  start();
  want({});
  ASSERT_TRUE(soon([&] { return script_.lists > 0 && reconciler_->machine().settled(); }));
  script_.hangs = true;
  want({on(80)});
  ASSERT_TRUE(soon([&] { return !reconciler_->machine().settled() && reconciler_->machine().holds_ours(); }));
  tasks_->spawn("drain", reconciler_->drain(async::clock::now() + seconds(60)));
  EXPECT_FALSE(script_.closed) << "the addition may yet be done";
  script_.hangs = false;
  script_.event.notify_all();
  ASSERT_TRUE(soon([&] { return script_.closed; }));
  EXPECT_TRUE(script_.held.empty());
}

TEST_F(reconciler_test, drain_gives_up_at_its_deadline_and_the_journal_keeps_what_is_left) {
  start();
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  script_.hangs = true;
  tasks_->spawn("drain", reconciler_->drain(async::clock::now() + milliseconds(100)));
  EXPECT_TRUE(soon([&] { return script_.closed; }));
  crash();
  const auto book = journal::open(directory_.path(), "scripted", "boot");
  ASSERT_TRUE(book);
  EXPECT_THAT(book->remembered(), ElementsAre(on(80)));
}

TEST_F(reconciler_test, drain_does_not_wait_for_a_peer_that_is_down) {
  start();
  want({on(80)});
  ASSERT_TRUE(holds_soon({80}));
  script_.down = true;
  script_.restarted = true;
  script_.event.notify_all();
  ASSERT_TRUE(soon([&] { return reconciler_->machine().listing().failures() > 0; }));
  const auto before = async::clock::now();
  tasks_->spawn("drain", reconciler_->drain(before + seconds(60)));
  EXPECT_TRUE(soon([&] { return script_.closed; }));
  EXPECT_LT(async::clock::now(), before + seconds(5));
}

}  // namespace
}  // namespace ports
