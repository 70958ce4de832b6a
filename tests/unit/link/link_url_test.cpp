#include "link/link_url.hpp"

#include <gtest/gtest.h>

namespace links {
namespace {

TEST(link_url, each_kind_survives_being_printed) {
  for (const auto* text : {"vsock://2", "vsock://4294967295", "unix:///run/x.sock", "qemu:///run/q",
                           "unixgram:///tmp/v", "fd://3", "handshake:///run/h", "firecracker:///run/v"}) {
    const auto url = link_url::parse(text);
    ASSERT_TRUE(url) << text;
    EXPECT_EQ(to_string(*url), text);
  }
  EXPECT_EQ(link_url::parse("qemu:///q")->kind, link_kind::qemu);
  EXPECT_EQ(framing_of(link_kind::qemu), framing::qemu);
  EXPECT_EQ(framing_of(link_kind::unix_stream), framing::stdio);
}

TEST(link_url, other_texts_are_refused) {
  for (const std::string text :
       {"", "vsock://", "vsock://x", "vsock://-1", "vsock://4294967296", "unix://", "unix://relative",
        "tcp://1.2.3.4:5", "/run/x.sock", "fd://4294967295", "fd://", "UNIX:///x"})
    EXPECT_FALSE(link_url::parse(text)) << text;
}

// 107 bytes fit a socket's address, less what is appended to the path.
TEST(link_url, a_path_and_all_that_is_derived_from_it_fits_a_socket_s_address) {
  const auto path = [](std::size_t size) { return "/" + std::string(size - 1, 'x'); };
  for (const std::string scheme : {"unix://", "qemu://", "unixgram://"}) {
    EXPECT_TRUE(link_url::parse(scheme + path(103))) << scheme;
    EXPECT_FALSE(link_url::parse(scheme + path(104))) << scheme;
  }
  for (const std::string scheme : {"handshake://", "firecracker://"}) {
    EXPECT_TRUE(link_url::parse(scheme + path(98))) << scheme;
    EXPECT_FALSE(link_url::parse(scheme + path(99))) << scheme;
  }
}

}  // namespace
}  // namespace links
