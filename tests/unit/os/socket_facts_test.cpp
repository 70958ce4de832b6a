#include "os/socket_facts.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>

#include "base/unique_fd.hpp"
#include "net/stream_address.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

net::socket_address name_of(const std::filesystem::path& path) {
  return net::to_sockaddr(net::stream_address(net::unix_path{path}));
}

base::unique_fd bound(int type, const std::filesystem::path& path) {
  base::unique_fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const auto at = name_of(path);
  EXPECT_EQ(::bind(fd.get(), at.get(), at.size), 0);
  return fd;
}

TEST(socket_type, is_the_kernels) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const base::unique_fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    EXPECT_EQ(socket_type(fd.get()), type);
  }
}

TEST(socket_type, of_what_is_no_socket_is_nothing) {
  const support::temp_dir directory;
  const base::unique_fd file(::open(directory.path().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(file);
  EXPECT_FALSE(socket_type(file.get()));
  EXPECT_FALSE(socket_type(-1));
}

TEST(is_bound, follows_the_socket_and_not_the_file) {
  const support::temp_dir directory;
  const auto path = directory / "one";
  EXPECT_FALSE(is_bound(name_of(path)));
  {
    const auto one = bound(SOCK_DGRAM, path);
    EXPECT_TRUE(is_bound(name_of(path)));
  }
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_FALSE(is_bound(name_of(path)));
}

TEST(is_bound, where_the_socket_takes_datagrams_of_its_peer_alone) {
  const support::temp_dir directory;
  const auto one = bound(SOCK_DGRAM, directory / "one"), other = bound(SOCK_DGRAM, directory / "other");
  const auto to = name_of(directory / "other");
  ASSERT_EQ(::connect(one.get(), to.get(), to.size), 0);
  EXPECT_TRUE(is_bound(name_of(directory / "one")));
}

}  // namespace
}  // namespace os
