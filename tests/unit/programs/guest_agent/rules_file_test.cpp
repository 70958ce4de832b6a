#include "programs/guest_agent/rules_file.hpp"

#include <gmock/gmock.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/log.hpp"
#include "base/read_file.hpp"
#include "base/unique_fd.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace guest_agent {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::SizeIs;

constexpr std::array<std::string_view, 1> sources{"docker"}, peers{"host-switch"};
constexpr auto two_rules = "rules:\n- port: 80\n  ignore: true\n- port: 81\n  host-port: 8081\n";

class rules_file_test : public testing::Test {
 protected:
  void write(std::string_view text) { std::ofstream(path_) << text; }
  // As a careful editor does.
  void replace(std::string_view text) {
    std::ofstream(path_ + ".new") << text;
    std::filesystem::rename(path_ + ".new", path_);
  }
  base::result<std::unique_ptr<rules_file>> open() {
    return rules_file::open(loop_.executor(), {path_, required_}, {.sources = sources, .peers = peers},
                            {.settle = settle_, .gone = gone_, .poll = 50ms, .limit = 10s});
  }
  void follow() {
    auto opened = open();
    ASSERT_TRUE(opened) << opened.error().message();
    file_ = std::move(*opened);
    loop_.spawn(file_->follow([this] {
      ++changes_;
      seen_.insert(active());
    }));
  }
  std::size_t active() const { return file_->state().active->rules().size(); }
  bool becomes(const std::function<bool()>& condition) { return loop_.run_until(condition, 5s); }

  void TearDown() override { loop_.stop(); }

  support::temp_dir directory_;
  std::string path_ = directory_ / "rules.yaml";
  support::event_loop loop_;
  std::unique_ptr<rules_file> file_;
  std::chrono::milliseconds settle_{20}, gone_{60};
  bool required_ = false;
  int changes_ = 0;
  std::set<std::size_t> seen_;  // how many rules were active
};

TEST_F(rules_file_test, no_file_is_no_rules) {
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_THAT((*opened)->state().active->rules(), SizeIs(0));
  EXPECT_EQ((*opened)->state().trouble, "");
}

TEST_F(rules_file_test, without_the_file_that_the_administrator_has_named_nothing_starts) {
  required_ = true;
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message(), path_ + ": No such file or directory");
}

// As it would forge lines of the log, and JSON cannot carry it.
TEST_F(rules_file_test, an_error_has_the_file_s_name_once_and_printable) {
  required_ = true;
  const auto message = [&](const std::string& name) {
    path_ = directory_ / name;
    const auto opened = open();
    return opened ? "" : opened.error().message();
  };
  const auto shown = [&](const std::string& name) { return (directory_ / name).string(); };
  EXPECT_EQ(message("a\n\xff"), shown("a\\x0a\\xff") + ": No such file or directory");
  std::filesystem::create_directory(directory_ / "d\t");
  EXPECT_EQ(message("d\t"), shown("d\\x09") + " is not a regular file");
  EXPECT_EQ(message(std::string(240, 'x')),
            shown(std::string(240, 'x')).substr(0, 200) + "…: No such file or directory");
  std::ofstream(directory_ / "r\n") << "rules: 5\n";
  EXPECT_THAT(message("r\n"), testing::StartsWith(shown("r\\x0a") + ": line 1"));
}

// The second half is written when the first has been read.
TEST_F(rules_file_test, a_file_that_is_still_written_at_the_start_counts_when_it_is_whole) {
  settle_ = 1s;
  write("rules:\n- port: 80\n");
  const base::unique_fd events(::inotify_init1(IN_CLOEXEC));
  ASSERT_GE(::inotify_add_watch(events.get(), path_.c_str(), IN_CLOSE_NOWRITE), 0);
  std::jthread writer([&] {
    std::array<char, 512> event{};
    if (::read(events.get(), event.data(), event.size()) > 0)
      std::ofstream(path_, std::ios::app) << "  ignore: true\n- port: 81\n";
  });
  const auto opened = open();
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_THAT((*opened)->state().active->rules(), SizeIs(2));
  EXPECT_TRUE((*opened)->state().active->rules().front().then.ignore);
}

TEST_F(rules_file_test, a_bad_file_at_the_start_is_an_error_with_its_place) {
  write("rules:\n- prot: tcp\n");
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message(), HasSubstr(path_));
  EXPECT_THAT(opened.error().message(), HasSubstr("line 2"));
}

TEST_F(rules_file_test, what_cannot_be_read_is_not_no_rules) {
  std::filesystem::create_directory(path_);
  EXPECT_FALSE(open());
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(open()) << "and it does not wait for a writer";
}

TEST_F(rules_file_test, a_change_counts_within_a_second) {
  follow();
  write(two_rules);
  EXPECT_TRUE(becomes([&] { return active() == 2; }));
  replace("rules: []\n");
  EXPECT_TRUE(becomes([&] { return active() == 0; }));
  replace(two_rules);
  EXPECT_TRUE(becomes([&] { return active() == 2; }));
  std::filesystem::remove(path_);
  EXPECT_TRUE(becomes([&] { return active() == 0; }));
  EXPECT_EQ(changes_, 4);
}

// As where the file system is the host's: the directory of the file reports nothing about its second name.
TEST_F(rules_file_test, a_change_that_inotify_does_not_report_counts_after_half_a_minute) {
  write(two_rules);
  const std::filesystem::path elsewhere = directory_ / "elsewhere";
  std::filesystem::create_directory(elsewhere);
  std::filesystem::create_hard_link(path_, elsewhere / "second");
  follow();
  loop_.settle();
  std::ofstream(elsewhere / "second") << two_rules << "- port: 82\n";
  loop_.pass_time(29s);
  loop_.run_until([] { return false; }, 10 * settle_);
  EXPECT_EQ(active(), 2U) << "nothing has reported the change";
  loop_.pass_time(1s);
  EXPECT_TRUE(becomes([&] { return active() == 3; }));
  EXPECT_EQ(changes_, 1);
}

TEST_F(rules_file_test, a_bad_change_is_refused_as_a_whole_and_said) {
  write(two_rules);
  follow();
  replace("rules:\n- port: 80\n- port: 70000\n");
  ASSERT_TRUE(becomes([&] { return !file_->state().trouble.empty(); }));
  EXPECT_EQ(active(), 2U);
  EXPECT_THAT(file_->state().trouble, HasSubstr("line 3"));
  replace(two_rules + std::string("- port: 82\n"));
  EXPECT_TRUE(becomes([&] { return file_->state().trouble.empty(); }));
  EXPECT_EQ(active(), 3U);
}

// Its first half is a correct file without the rule that narrows.
TEST_F(rules_file_test, a_file_that_is_written_in_pieces_never_counts_half) {
  settle_ = 300ms;
  write(two_rules);
  follow();
  for (int round = 0; round < 5; ++round) {
    std::ofstream file(path_);
    file << "rules:\n- port: 80\n" << std::flush;
    loop_.run_until([] { return false; }, 5ms);
    file << "  ignore: true\n- port: 81\n- port: 82\n";
  }
  EXPECT_TRUE(becomes([&] { return active() == 3; }));
  EXPECT_FALSE(seen_.contains(1)) << "the first half";
  EXPECT_FALSE(seen_.contains(0)) << "the empty file";
}

// Some programs remove the file before they write it anew.
TEST_F(rules_file_test, a_file_that_vanishes_for_a_moment_keeps_its_rules) {
  gone_ = 60s;
  write(two_rules);
  follow();
  std::filesystem::remove(path_);
  loop_.run_until([] { return false; }, 20 * settle_);
  EXPECT_EQ(active(), 2U);
  write(two_rules + std::string("- port: 82\n"));
  EXPECT_TRUE(becomes([&] { return active() == 3; }));
  EXPECT_FALSE(seen_.contains(0));
}

TEST_F(rules_file_test, a_file_that_is_gone_takes_its_rules_with_it_and_the_log_says_so) {
  const auto log = (directory_ / "log").string();
  write(two_rules);
  follow();
  ASSERT_TRUE(base::log::set_file(log));
  std::filesystem::remove(path_);
  EXPECT_TRUE(becomes([&] { return active() == 0; }));
  ASSERT_TRUE(base::log::set_file("/dev/stderr"));
  EXPECT_THAT(base::read_file(log).value_or(""), HasSubstr("the file is gone, and with it its rules file=" + path_));
}

TEST_F(rules_file_test, a_named_file_that_vanishes_is_trouble_and_its_rules_stay) {
  required_ = true;
  write(two_rules);
  follow();
  std::filesystem::remove(path_);
  ASSERT_TRUE(becomes([&] { return !file_->state().trouble.empty(); }));
  EXPECT_THAT(file_->state().trouble, HasSubstr("No such file"));
  EXPECT_EQ(active(), 2U);
  write(two_rules + std::string("- port: 82\n"));
  EXPECT_TRUE(becomes([&] { return file_->state().trouble.empty(); }));
  EXPECT_EQ(active(), 3U);
}

TEST_F(rules_file_test, a_file_that_can_be_read_again_ends_the_trouble) {
  write(two_rules);
  follow();
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  ASSERT_TRUE(becomes([&] { return !file_->state().trouble.empty(); }));
  EXPECT_EQ(active(), 2U);
  std::filesystem::remove(path_);
  write(two_rules);
  EXPECT_TRUE(becomes([&] { return file_->state().trouble.empty(); }));
  EXPECT_EQ(active(), 2U);
}

}  // namespace
}  // namespace guest_agent
