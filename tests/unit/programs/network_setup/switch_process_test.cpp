// With a shell script in the place of vm-switch: what it is given, and how it takes the next connection.
#include "programs/network_setup/switch_process.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <fstream>

#include "base/read_file.hpp"
#include "os/namespaces.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace network_setup {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class switch_process_test : public testing::Test {
 protected:
  void SetUp() override { renew_link(); }
  void TearDown() override {
    process_.reset();
    loop_.stop();
  }
  // A connection, of which the test keeps the host's end.
  void renew_link() {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    connection_.fd.reset(ends[0]);
    host_.reset(ends[1]);
    support::set_deadline(host_.get());
  }
  [[nodiscard]] std::string at(const std::string& name) const { return (directory_ / name).string(); }
  base::result<> start(const std::string& script, std::vector<std::string> arguments = {}, int net_namespace = -1) {
    std::ofstream(at("vm-switch")) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(at("vm-switch"), std::filesystem::perms::owner_all);
    arguments.insert(arguments.begin(), at("vm-switch"));
    auto made = switch_process::start(loop_.executor(), std::move(arguments), net_namespace, connection_);
    if (!made) return std::unexpected(made.error());
    process_.emplace(std::move(*made));
    return {};
  }
  // Runs hand_over() to its end.
  base::result<> hand_over() {
    auto hand = [](switch_process* to, const handshake::data_connection* what) -> async::task<base::result<>> {
      co_return co_await to->hand_over(*what);
    };
    return loop_.run(hand(&*process_, &connection_));
  }
  bool written(const std::string& name) {
    return loop_.run_until([&] { return !base::read_file(at(name)).value_or("").empty(); });
  }

  support::temp_dir directory_;
  support::event_loop loop_;
  handshake::data_connection connection_;
  base::unique_fd host_;
  std::optional<switch_process> process_;
};

TEST_F(switch_process_test, has_the_connection_as_descriptor_three_and_is_given_its_number) {
  ASSERT_TRUE(
      start("echo \"$@\" >" + at("arguments") + "; printf hello >&3; exec sleep 100", {"-tap-interface", "eth9"}));
  EXPECT_EQ(support::read_exactly(host_.get(), 5), "hello");
  ASSERT_TRUE(written("arguments"));
  EXPECT_EQ(*base::read_file(at("arguments")), "-tap-interface eth9 -vsock-fd 3\n");
}

TEST_F(switch_process_test, learns_from_its_environment_where_links_come_from_and_whether_to_ask_for_offload) {
  for (const bool offload : {true, false}) {
    connection_.offers_offload = offload;
    ASSERT_TRUE(start("env | grep GUESTAGENT_LINK | sort >" + at("new") + "; mv " + at("new") + " " +
                      at("environment") + "; exec sleep 100"));
    ASSERT_TRUE(written("environment"));
    EXPECT_EQ(*base::read_file(at("environment")),
              std::string("GUESTAGENT_LINK_CONTROL=4\nGUESTAGENT_LINK_OFFLOAD=") + (offload ? "1\n" : "0\n"));
    process_.reset();
    std::filesystem::remove(at("environment"));
  }
}

TEST_F(switch_process_test, inherits_no_other_descriptor) {
  const base::unique_fd other(::dup(host_.get()));  // as one that another library has left open
  ASSERT_TRUE(
      start("ls /proc/self/fd >" + at("new") + "; mv " + at("new") + " " + at("descriptors") + "; exec sleep 100"));
  ASSERT_TRUE(written("descriptors"));
  const auto all = *base::read_file(at("descriptors"));
  for (const auto* wanted : {"0\n", "1\n", "2\n", "3\n", "4\n"}) EXPECT_THAT(all, HasSubstr(wanted));
  EXPECT_THAT(all, testing::Not(HasSubstr(std::to_string(host_.get()) + "\n"))) << "the host's end, close-on-exec";
}

TEST_F(switch_process_test, runs_in_the_namespace_that_it_is_given) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto made = os::make_net_namespace();
  if (!made) GTEST_SKIP() << made.error().message();
  ASSERT_TRUE(start("exec sleep 100", {}, made->get()));
  const auto theirs = os::net_namespace_of(process_->pid());
  ASSERT_TRUE(theirs);
  EXPECT_TRUE(os::is_same_namespace(theirs->get(), made->get()));
}

TEST_F(switch_process_test, a_connection_that_it_takes_is_handed_over) {
  ASSERT_TRUE(start("printf ok >&4; exec sleep 100"));
  renew_link();
  const auto handed = hand_over();
  EXPECT_TRUE(handed) << handed.error().message();
}

TEST_F(switch_process_test, one_that_does_not_answer_in_a_second_is_an_error_and_no_earlier) {
  ASSERT_TRUE(start("exec sleep 100"));
  renew_link();
  std::optional<base::result<>> done;
  auto hand = [](switch_process* to, const handshake::data_connection* what,
                 std::optional<base::result<>>* into) -> async::task<> {
    into->emplace(co_await to->hand_over(*what));
  };
  const auto began = async::clock::now();
  loop_.spawn(hand(&*process_, &connection_, &done));
  ASSERT_TRUE(loop_.run_until([&] {
    loop_.pass_time(100ms);
    return done.has_value();
  }));
  EXPECT_GE(async::clock::now() - began, 1s);
  ASSERT_FALSE(*done);
  EXPECT_EQ(done->error().code, std::errc::timed_out);
}

TEST_F(switch_process_test, another_answer_is_none) {
  ASSERT_TRUE(start("printf no >&4; exec sleep 100"));
  renew_link();
  std::optional<base::result<>> done;
  auto hand = [](switch_process* to, const handshake::data_connection* what,
                 std::optional<base::result<>>* into) -> async::task<> {
    into->emplace(co_await to->hand_over(*what));
  };
  loop_.spawn(hand(&*process_, &connection_, &done));
  ASSERT_TRUE(loop_.run_until([&] {
    loop_.pass_time(100ms);
    return done.has_value();
  }));
  EXPECT_FALSE(*done);
}

TEST_F(switch_process_test, one_that_has_ended_is_an_error_at_once) {
  ASSERT_TRUE(start("exit 7"));
  EXPECT_EQ(loop_.run(process_->ended()), 7);
  EXPECT_FALSE(process_->is_running());
  renew_link();
  EXPECT_FALSE(hand_over());
}

TEST_F(switch_process_test, a_program_that_is_not_there_cannot_start) {
  const auto none = switch_process::start(loop_.executor(), {at("none")}, -1, connection_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, std::errc::no_such_file_or_directory);
}

TEST_F(switch_process_test, stops_at_the_signal_or_is_killed_at_the_deadline) {
  auto stop = [](switch_process* one, async::clock::time_point deadline) -> async::task<bool> {
    co_await one->stop(deadline);
    co_return true;
  };
  ASSERT_TRUE(start("trap 'echo end >" + at("end") + "; exit 0' TERM; printf up >&3; while :; do sleep 0.02; done"));
  support::read_exactly(host_.get(), 2);
  loop_.run(stop(&*process_, async::clock::now() + 10s));
  EXPECT_TRUE(written("end"));
  ASSERT_TRUE(start("trap '' TERM; printf up >&3; while :; do sleep 0.02; done"));
  support::read_exactly(host_.get(), 2);
  loop_.run(stop(&*process_, async::clock::now() + 100ms));
  EXPECT_FALSE(process_->is_running());
}

}  // namespace
}  // namespace network_setup
