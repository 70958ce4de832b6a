#include "programs/host_switch/static_forward.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace host_switch {
namespace {

TEST(static_forward, is_read_from_a_flag) {
  EXPECT_EQ(parse_static_forward("127.0.0.1:2222=192.168.127.2:22").value(),
            (forwarder_api::forward{"127.0.0.1:2222", "192.168.127.2:22", "tcp"}));
  for (const auto* bad : {"", "127.0.0.1:2222", "x=192.168.127.2:22", "127.0.0.1:2222=guest:22", "127.0.0.1:2222=:22"})
    EXPECT_FALSE(parse_static_forward(bad)) << bad;
}

std::vector<forwarder_api::forward> forwards(const std::vector<const char*>& texts) {
  std::vector<forwarder_api::forward> made;
  for (const auto* text : texts) made.push_back(parse_static_forward(text).value());
  return made;
}

TEST(static_forward, each_has_a_port_of_its_own) {
  const auto check = [](const std::vector<const char*>& texts) { return check_listeners(forwards(texts)).has_value(); };
  EXPECT_TRUE(check({}));
  EXPECT_TRUE(
      check({"127.0.0.1:2222=192.168.127.2:22", "127.0.0.1:2223=192.168.127.2:22", "127.0.0.2:2222=192.168.127.2:22"}));
  EXPECT_FALSE(check({"127.0.0.1:2222=192.168.127.2:22", "127.0.0.1:2222=192.168.127.3:22"}));
  EXPECT_FALSE(check({":2222=192.168.127.2:22", "0.0.0.0:2222=192.168.127.2:22"})) << "the same address";
}

TEST(static_forward, leads_to_a_machine_of_the_virtual_network) {
  const auto network = subnet::parse("192.168.127.0/24").value();
  const std::vector<netstack::nat_entry> aliases{
      {netstack::ipv4::address{0xc0a8'7ffe}, netstack::ipv4::address{0x7f00'0001}}};
  const auto check = [&](const char* target, const auto& nat) {
    return check_targets({{":2222", target, "tcp"}}, network, nat).has_value();
  };
  EXPECT_TRUE(check("192.168.127.2:22", aliases));
  for (const auto* wrong : {"192.168.127.1:22", "192.168.127.254:22", "127.0.0.1:22", "192.168.128.2:22", "10.0.0.1:22",
                            "192.168.127.0:22", "192.168.127.255:22"})
    EXPECT_FALSE(check(wrong, aliases)) << wrong;
  EXPECT_TRUE(check("192.168.127.254:22", std::vector<netstack::nat_entry>())) << "with -nat=off";
}

}  // namespace
}  // namespace host_switch
