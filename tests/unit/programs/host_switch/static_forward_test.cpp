#include "programs/host_switch/static_forward.hpp"

#include <gtest/gtest.h>

namespace host_switch {
namespace {

TEST(static_forward, is_read_from_a_flag) {
  EXPECT_EQ(parse_static_forward("127.0.0.1:2222=192.168.127.2:22").value(),
            (forwarder_api::forward{"127.0.0.1:2222", "192.168.127.2:22", "tcp"}));
  for (const auto* bad : {"", "127.0.0.1:2222", "x=192.168.127.2:22", "127.0.0.1:2222=guest:22", "127.0.0.1:2222=:22"})
    EXPECT_FALSE(parse_static_forward(bad)) << bad;
}

}  // namespace
}  // namespace host_switch
