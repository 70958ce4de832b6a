#include "protocols/forwarder_api/forward_address.hpp"

#include <gtest/gtest.h>

namespace forwarder_api {
namespace {

TEST(forward_address, the_callers_address_completes_a_remote) {
  EXPECT_EQ(complete_remote(":80", "192.168.127.2").value(), "192.168.127.2:80");
  EXPECT_EQ(complete_remote("10.0.0.1:80", "192.168.127.2").value(), "10.0.0.1:80");
  EXPECT_EQ(complete_remote("10.0.0.1", "x").error().message(), "address 10.0.0.1: missing port in address");
  EXPECT_EQ(complete_remote("[::1]", "x").error().message(), "address [::1]: missing port in address");
  EXPECT_EQ(complete_remote("", "x").error().message(), "missing port in address");
}

TEST(forward_address, local_forms) {
  EXPECT_EQ(net::to_string(parse_local(":80").value()), "0.0.0.0:80");
  EXPECT_EQ(net::to_string(parse_local("[::1]:80").value()), "[::1]:80");
  for (const auto* bad :
       {"", "80", "localhost:80", "1.2.3.4:0", "1.2.3.4:99999", ":080", "1.2.3.4:00000080", "[::1]:0"})
    EXPECT_FALSE(parse_local(bad)) << bad;
}

TEST(forward_address, remote_forms) {
  EXPECT_EQ(net::to_string(parse_remote("192.168.127.2:80").value()), "192.168.127.2:80");
  for (const auto* bad : {"", ":80", "0.0.0.0:80", "[::1]:80", "1.2.3.4:0", "1.2.3.4:080", "name:80", "1.2.3.4"})
    EXPECT_FALSE(parse_remote(bad)) << bad;
}

}  // namespace
}  // namespace forwarder_api
