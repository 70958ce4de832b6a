// listeners_source_test shows the owners of real servers. Here is when an uncertain one is looked up again, at which
// cost, and what an unreadable file of nerdctl changes. The time is an argument.
#include "sources/host_sockets/socket_owners.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/temp_dir.hpp"
#include "tests/unit/sources/host_sockets/socket_holder.hpp"

namespace host_sockets {
namespace {

using namespace std::chrono_literals;
using time_point = socket_owners::time_point;

constexpr std::uint32_t held_by_no_process = 0xfffffff0;

class socket_owners_test : public testing::Test {
 protected:
  static netlink::diag_socket socket(std::uint32_t inode) { return {.at = {}, .inode = inode}; }
  // The owner of one socket, which is all that listens.
  owner find(std::uint32_t inode, time_point now) {
    return owners_
        .find({socket(inode)}, now,
              [&] {
                ++listed_;
                return base::result<inode_set>(inode_set{inode});
              })
        .at(inode);
  }
  void note_reserver(const std::string& text) const {
    const auto directory = run_.path() / "nerdctl/default/abc";
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "port-reserver.pid") << text;
  }
  support::temp_dir run_;
  socket_owners owners_{{.engines = {}, .run = run_.path()}};
  const time_point start_ = time_point{} + 1h;
  int listed_ = 0;
};

TEST_F(socket_owners_test, a_certain_owner_is_looked_up_once) {
  const socket_holder other("other");
  EXPECT_EQ(find(other.inode(), start_), owner::other);
  EXPECT_EQ(owners_.next_question(), time_point::max());
  const auto reads = owners_.processes().reads();
  EXPECT_EQ(find(other.inode(), start_ + 24h), owner::other);
  EXPECT_EQ(owners_.processes().reads(), reads);
}

TEST_F(socket_owners_test, the_agents_own_socket_is_its_own) {
  const auto own = support::listen_on_loopback();
  struct stat about{};
  ASSERT_EQ(::fstat(own.fd.get(), &about), 0);
  EXPECT_EQ(find(static_cast<std::uint32_t>(about.st_ino), start_), owner::agent);
}

// A process may be about to take the socket: soon at first, and rarely for one that stays without.
TEST_F(socket_owners_test, an_uncertain_owner_is_looked_up_again_after_growing_pauses) {
  // The kernel's, or unknown where this user may not read every process.
  const auto is_uncertain = [this](time_point at) {
    const auto found = find(held_by_no_process, at);
    return found == owner::kernel || found == owner::unknown;
  };
  auto now = start_;
  for (const auto pause : {20ms, 200ms, 2'000ms, 30'000ms, 30'000ms}) {
    EXPECT_TRUE(is_uncertain(now));
    EXPECT_EQ(owners_.next_question() - now, pause);
    const int asked = listed_;
    EXPECT_TRUE(is_uncertain(now + pause - 1ms));
    EXPECT_EQ(listed_, asked) << "before its time";
    EXPECT_EQ(owners_.next_question() - now, pause);
    now += pause;
  }
}

TEST_F(socket_owners_test, a_socket_that_closes_during_the_lookup_is_not_the_kernels) {
  const auto& found = owners_.find({socket(held_by_no_process)}, start_, [] { return base::result<inode_set>{}; });
  EXPECT_EQ(found.at(held_by_no_process), owner::unresolved);
  EXPECT_EQ(owners_.next_question(), start_ + 20ms);
}

TEST_F(socket_owners_test, a_socket_that_is_no_longer_listed_is_forgotten) {
  static_cast<void>(owners_.find({socket(held_by_no_process)}, start_, [] { return base::result<inode_set>{}; }));
  const auto& none = owners_.find({}, start_, [] { return base::result<inode_set>{}; });
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(owners_.next_question(), time_point::max());
  EXPECT_EQ(owners_.trouble(), std::nullopt);
}

TEST_F(socket_owners_test, a_process_that_nerdctl_noted_reserves_ports) {
  const socket_holder sleeps("sleep");
  note_reserver(std::to_string(sleeps.pid()));
  EXPECT_EQ(find(sleeps.inode(), start_), owner::reserver);
  const socket_holder nerdctl("nerdctl");
  EXPECT_EQ(find(nerdctl.inode(), start_), owner::reserver) << "itself, without a note";
}

// nerdctl starts the process first, and then writes its file.
TEST_F(socket_owners_test, a_young_sleep_may_become_a_reserver) {
  const socket_holder sleeps("sleep");
  EXPECT_EQ(find(sleeps.inode(), start_), owner::starting);
  EXPECT_EQ(owners_.next_question(), start_ + 20ms);
  note_reserver(std::to_string(sleeps.pid()));
  EXPECT_EQ(find(sleeps.inode(), start_ + 20ms), owner::reserver);
  EXPECT_EQ(owners_.next_question(), time_point::max());
}

TEST_F(socket_owners_test, an_unreadable_note_leaves_a_sleep_unknown_and_says_why) {
  const socket_holder sleeps("sleep"), other("other");
  note_reserver(std::string(33, '1'));
  EXPECT_EQ(find(other.inode(), start_), owner::other) << "a reserver is a sleep";
  EXPECT_EQ(owners_.trouble(), std::nullopt);
  EXPECT_EQ(find(sleeps.inode(), start_), owner::unknown);
  ASSERT_TRUE(owners_.trouble());
  EXPECT_NE(owners_.trouble()->message().find("port-reserver.pid"), std::string::npos);
  note_reserver(std::to_string(sleeps.pid()));
  EXPECT_EQ(find(sleeps.inode(), start_ + 19ms), owner::unknown) << "not before it is due";
  EXPECT_TRUE(owners_.trouble());
  EXPECT_EQ(find(sleeps.inode(), start_ + 20ms), owner::reserver);
  EXPECT_EQ(owners_.trouble(), std::nullopt);
}

}  // namespace
}  // namespace host_sockets
