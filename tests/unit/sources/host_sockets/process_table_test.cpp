#include "sources/host_sockets/process_table.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <vector>

#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "os/process_facts.hpp"
#include "tests/unit/sources/host_sockets/socket_holder.hpp"

namespace host_sockets {
namespace {

const auto keep_all = [](inode_set&) {};

base::unique_fd make_socket() { return base::unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

TEST(process_table, finds_a_holder_and_forgets_it) {
  process_table table;
  ASSERT_TRUE(table.refresh());
  const auto own = make_socket();
  const socket_holder other;
  const auto unheld = inode_of(own.get()) + 1'000'000;
  ASSERT_TRUE(table.refresh());
  table.search({inode_of(own.get()), other.inode(), unheld}, {}, keep_all);
  EXPECT_EQ(table.holders(other.inode()), std::vector{other.pid()});
  EXPECT_THAT(table.holders(inode_of(own.get())), testing::Contains(::getpid()));
  EXPECT_TRUE(table.holders(unheld).empty());
  table.forget_all_but({inode_of(own.get())});
  EXPECT_TRUE(table.holders(other.inode()).empty());
}

TEST(process_table, a_process_is_told_from_an_earlier_one_of_its_number) {
  process_table table;
  const socket_holder other;
  ASSERT_TRUE(table.refresh());
  const auto facts = os::read_process_facts(other.pid());
  ASSERT_TRUE(facts && *facts);
  EXPECT_TRUE(table.contains(other.pid(), (*facts)->start));
  EXPECT_FALSE(table.contains(other.pid(), (*facts)->start - 1));
}

// Other programs of this machine start processes too, and each is read in every search while it is young.
std::size_t count_young_but(const std::vector<socket_holder>& ours) {
  std::size_t young = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = base::parse_number<pid_t>(entry.path().filename().native());
    if (!pid || std::ranges::find(ours, *pid, &socket_holder::pid) != ours.end()) continue;
    const auto facts = os::read_process_facts(*pid);
    if (facts && *facts && os::age_of((*facts)->start) < std::chrono::seconds(3)) ++young;
  }
  return young;
}

// A range of ports: a process comes with each socket. Those that were there are not read again.
TEST(process_table, the_cost_of_many_new_holders_is_linear) {
  process_table table;
  ASSERT_TRUE(table.refresh());
  table.search({1}, {}, keep_all);
  const auto before = table.reads();
  std::vector<socket_holder> all;
  constexpr int count = 100;
  std::size_t expected = 20U * count;
  for (int i = 0; i < count; ++i) {
    const auto& one = all.emplace_back();
    ASSERT_TRUE(table.refresh());
    table.search({one.inode()}, {}, keep_all);
    ASSERT_EQ(table.holders(one.inode()), std::vector{one.pid()}) << i;
    expected += count_young_but(all);
  }
  EXPECT_LT(table.reads() - before, expected);
}

// One that listens late is found although it was read before.
TEST(process_table, a_process_that_is_known_opens_a_socket) {
  process_table table;
  auto own = make_socket();
  ASSERT_TRUE(table.refresh());
  table.search({inode_of(own.get())}, {}, keep_all);
  own = make_socket();
  table.search({inode_of(own.get())}, {}, keep_all);
  EXPECT_THAT(table.holders(inode_of(own.get())), testing::Contains(::getpid()));
}

TEST(process_table, sockets_that_have_closed_meanwhile_are_not_searched_everywhere) {
  process_table table;
  ASSERT_TRUE(table.refresh());
  table.search({1}, {}, keep_all);
  const auto before = table.reads();
  table.search({1}, {}, [](inode_set& left) { left.clear(); });
  const auto cheap = table.reads() - before;
  table.search({1}, {}, keep_all);
  EXPECT_LE(cheap, table.reads() - before - cheap);
}

}  // namespace
}  // namespace host_sockets
