#include "net/listen_key.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace net {
namespace {

TEST(listen_key, listeners_of_one_port_stand_together) {
  const listen_key tcp_80_any{protocol::tcp, address::any_v4(), 80};
  const listen_key tcp_80_loopback{protocol::tcp, address::loopback_v4(), 80};
  const listen_key tcp_81_any{protocol::tcp, address::any_v4(), 81};
  const listen_key udp_80_any{protocol::udp, address::any_v4(), 80};
  const std::set sorted{udp_80_any, tcp_81_any, tcp_80_loopback, tcp_80_any};
  EXPECT_EQ(std::vector(sorted.begin(), sorted.end()),
            (std::vector{tcp_80_any, tcp_80_loopback, tcp_81_any, udp_80_any}));
}

TEST(listen_key, is_written_as_protocol_and_endpoint) {
  EXPECT_EQ(to_string(listen_key{protocol::udp, address::loopback_v6(), 53}), "udp [::1]:53");
}

}  // namespace
}  // namespace net
