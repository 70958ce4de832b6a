#include "net/stream_address.hpp"

#include <gtest/gtest.h>
#include <linux/vm_sockets.h>
#include <sys/un.h>

#include <cstring>

namespace net {
namespace {

TEST(stream_address, each_kind_is_written_in_its_own_form) {
  EXPECT_EQ(to_string(stream_address(endpoint{address::loopback_v4(), 80})), "127.0.0.1:80");
  EXPECT_EQ(to_string(stream_address(unix_path{"/run/x.sock"})), "unix:/run/x.sock");
  EXPECT_EQ(to_string(stream_address(vsock_address{2, 8989})), "vsock:2:8989");
  EXPECT_EQ(to_string(stream_address(vsock_address{VMADDR_CID_ANY, 1})), "vsock:any:1");
}

TEST(stream_address, a_unix_path_fills_the_kernels_structure) {
  const auto made = to_sockaddr(unix_path{"/run/x.sock"});
  sockaddr_un at{};
  ASSERT_EQ(made.size, sizeof at);
  std::memcpy(&at, made.get(), sizeof at);
  EXPECT_EQ(at.sun_family, AF_UNIX);
  EXPECT_STREQ(at.sun_path, "/run/x.sock");
}

TEST(stream_address, a_path_that_is_too_long_does_not_fit_and_is_cut) {
  const std::string longest = "/" + std::string(longest_unix_path - 1, 'x');
  EXPECT_TRUE(fits(unix_path{longest}));
  EXPECT_FALSE(fits(unix_path{longest + "x"}));
  EXPECT_TRUE(fits(endpoint{}));
  sockaddr_un at{};
  std::memcpy(&at, to_sockaddr(unix_path{longest + "x"}).get(), sizeof at);
  EXPECT_EQ(std::string(at.sun_path), longest);
}

TEST(stream_address, a_unix_path_from_outside_is_absolute_and_without_zeros) {
  EXPECT_TRUE(is_unix_path("/x"));
  EXPECT_FALSE(is_unix_path("x"));
  EXPECT_FALSE(is_unix_path(""));
  EXPECT_FALSE(is_unix_path(std::string_view("/a\0b", 4)));
  EXPECT_FALSE(is_unix_path("/" + std::string(longest_unix_path, 'x')));
}

TEST(stream_address, a_virtual_socket_keeps_machine_and_port) {
  sockaddr_vm at{};
  const auto made = to_sockaddr(vsock_address{3, 9090});
  ASSERT_EQ(made.size, sizeof at);
  std::memcpy(&at, made.get(), sizeof at);
  EXPECT_EQ(at.svm_family, AF_VSOCK);
  EXPECT_EQ(at.svm_cid, 3U);
  EXPECT_EQ(at.svm_port, 9090U);
}

}  // namespace
}  // namespace net
