#include "os/begin_connect.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>

#include "base/unique_fd.hpp"
#include "net/stream_address.hpp"
#include "os/claimed_unix_path.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

TEST(begin_connect, says_by_the_kernels_number_how_it_went) {
  const support::temp_dir directory;
  const auto path = directory / "socket";
  const auto at = net::to_sockaddr(net::stream_address(net::unix_path{path}));
  const base::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  EXPECT_EQ(begin_connect(fd.get(), at), ENOENT);
  const auto claimed = claimed_unix_path::claim(path);
  ASSERT_TRUE(claimed);
  EXPECT_EQ(begin_connect(fd.get(), at), 0);
  EXPECT_EQ(begin_connect(fd.get(), at), EISCONN);
  EXPECT_EQ(begin_connect(-1, at), EBADF);
}

}  // namespace
}  // namespace os
