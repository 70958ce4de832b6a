#include "sources/host_sockets/port_reservers.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temp_dir.hpp"

namespace host_sockets {
namespace {

namespace fs = std::filesystem;

class port_reservers_test : public testing::Test {
 protected:
  void note(const std::string& container, std::string_view text) {
    const auto directory = run_.path() / "nerdctl" / container;
    fs::create_directories(directory);
    std::ofstream(directory / "port-reserver.pid") << text;
  }
  support::temp_dir run_;
};

TEST_F(port_reservers_test, are_none_without_nerdctl) {
  const auto found = read_port_reservers(run_.path());
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_TRUE(found->empty());
}

TEST_F(port_reservers_test, of_every_namespace_and_container) {
  note("default/abc", "4711");
  note("default/def", "4712\n");
  note("k8s.io/abc", "4713");
  fs::create_directories(run_.path() / "nerdctl/default/without");
  note("default/unfinished", "");
  note("default/other", "no number");
  std::ofstream(run_.path() / "nerdctl/a-file") << "1";
  const auto found = read_port_reservers(run_.path());
  ASSERT_TRUE(found) << found.error().message();
  std::set<pid_t> pids;
  for (const auto& [pid, about] : *found) pids.insert(pid);
  EXPECT_EQ(pids, (std::set<pid_t>{4711, 4712, 4713}));
}

// Each is an error, and not "no reserver": their sockets would be published.
TEST_F(port_reservers_test, what_cannot_be_read_is_an_error) {
  note("default/abc", std::string(33, '1'));
  EXPECT_FALSE(read_port_reservers(run_.path())) << "too long";
  fs::remove(run_.path() / "nerdctl/default/abc/port-reserver.pid");
  ASSERT_EQ(::mkfifo((run_.path() / "nerdctl/default/abc/port-reserver.pid").c_str(), 0600), 0);
  EXPECT_FALSE(read_port_reservers(run_.path())) << "a fifo";
  fs::remove(run_.path() / "nerdctl/default/abc/port-reserver.pid");
  std::ofstream(run_.path() / "elsewhere") << "4711";
  fs::create_symlink(run_.path() / "elsewhere", run_.path() / "nerdctl/default/abc/port-reserver.pid");
  EXPECT_FALSE(read_port_reservers(run_.path())) << "a link";
}

}  // namespace
}  // namespace host_sockets
