#include "sources/host_sockets/engine_server.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/temp_dir.hpp"

namespace host_sockets {
namespace {

namespace fs = std::filesystem;

base::unique_fd bound_to(const fs::path& path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::ranges::copy(path.native(), at.sun_path);
  base::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  return fd;
}
base::unique_fd listening_at(const fs::path& path, int backlog = 16) {
  auto fd = bound_to(path);
  EXPECT_EQ(::listen(fd.get(), backlog), 0);
  return fd;
}
std::uint32_t inode_of(const base::unique_fd& fd) {
  struct stat about{};
  EXPECT_EQ(::fstat(fd.get(), &about), 0);
  return static_cast<std::uint32_t>(about.st_ino);
}

class engine_server : public testing::Test {
 protected:
  static std::optional<std::uint32_t> bound_socket(const fs::path& path) {
    return find_bound_socket(path, ::getpid()).value();
  }
  support::temp_dir directory_;
  const fs::path socket_ = directory_ / "docker.sock";
};

TEST_F(engine_server, is_the_process_that_listens) {
  const auto listener = listening_at(socket_);
  EXPECT_EQ(find_server(socket_).value(), server_claim{::getpid()});
  fs::create_symlink(socket_, directory_ / "link");
  EXPECT_EQ(find_server(directory_ / "link").value(), server_claim{::getpid()});
}

TEST_F(engine_server, is_none_where_nothing_listens) {
  EXPECT_EQ(find_server(socket_).value(), std::nullopt) << "no file";
  bound_to(socket_).reset();
  EXPECT_EQ(find_server(socket_).value(), std::nullopt) << "the file of a server that has gone";
  std::ofstream(directory_ / "file") << "text";
  EXPECT_EQ(find_server(directory_ / "file").value(), std::nullopt) << "a file that is no socket";
  EXPECT_EQ(find_server(directory_ / "file" / "docker.sock").value(), std::nullopt) << "a file in place of a directory";
}

// A server that does not accept is a server; the question neither waits for it nor denies it.
TEST_F(engine_server, is_unknown_while_its_queue_is_full) {
  const auto listener = listening_at(socket_, 0);
  std::vector<base::unique_fd> waiting;
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::ranges::copy(socket_.native(), at.sun_path);
  int refused = 0;
  while (refused == 0 && waiting.size() < 8) {
    waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (::connect(waiting.back().get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) refused = errno;
  }
  ASSERT_EQ(refused, EAGAIN);
  EXPECT_FALSE(find_server(socket_));
}

TEST_F(engine_server, a_denied_question_is_an_error_and_not_no_server) {
  const auto listener = listening_at(socket_);
  EXPECT_FALSE(find_server(directory_ / std::string(200, 'x'))) << "longer than an address";
  std::error_code failed;
  const bool ran = support::run_without({__NR_getsockopt, 2, SO_PEERCRED, EACCES}, [&] {
    const auto found = find_server(socket_);
    if (!found) failed = found.error().code;
  });
  if (!ran) GTEST_SKIP() << "the kernel takes no filter";
  EXPECT_EQ(failed, std::errc::permission_denied);
}

TEST_F(engine_server, a_socket_that_this_user_may_not_reach_is_unknown) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto listener = listening_at(socket_);
  const support::netns place("engineserver");
  const auto failed = place.run(
      [this] {
        const auto found = find_server(socket_);
        return found ? std::error_code{} : found.error().code;
      },
      support::unprivileged);
  EXPECT_EQ(failed, std::errc::permission_denied);
}

TEST_F(engine_server, a_bound_socket_has_the_inode_of_its_descriptor) {
  const auto other = listening_at(directory_ / "docker.sock.other"), listener = listening_at(socket_);
  EXPECT_EQ(bound_socket(socket_), inode_of(listener));
  EXPECT_EQ(bound_socket(directory_ / "docker.sock.other"), inode_of(other));
  EXPECT_EQ(bound_socket(directory_ / "docker"), std::nullopt) << "a whole path, not its beginning";
}

TEST_F(engine_server, a_bound_socket_is_found_by_either_name_of_its_directory) {
  fs::create_directory(directory_ / "run");
  fs::create_directory_symlink("run", directory_ / "var-run");
  const auto by_name = listening_at(directory_ / "run" / "a.sock"),
             by_link = listening_at(directory_ / "var-run/b.sock");
  EXPECT_EQ(bound_socket(directory_ / "var-run/a.sock"), inode_of(by_name));
  EXPECT_EQ(bound_socket(directory_ / "var-run/b.sock"), inode_of(by_link)) << "the list has the name that bind() had";
}

TEST_F(engine_server, a_socket_that_does_not_listen_is_not_found) {
  const auto bound = bound_to(socket_);
  EXPECT_EQ(bound_socket(socket_), std::nullopt);
  const auto listener = listening_at(directory_ / "listens.sock");
  EXPECT_EQ(bound_socket(directory_ / "listens.sock"), inode_of(listener));
  EXPECT_EQ(bound_socket(directory_ / "none.sock"), std::nullopt);
}

TEST_F(engine_server, the_list_of_a_process_that_has_gone_is_an_error) { EXPECT_FALSE(find_bound_socket(socket_, -1)); }

}  // namespace
}  // namespace host_sockets
