#include "ports/binding.hpp"

#include <gtest/gtest.h>

namespace ports {
namespace {

binding at(const char* address) {
  return {net::protocol::tcp, net::address::parse(address).value(), 8080, 80, "c1", "web"};
}

TEST(binding, host_key_never_widens) {
  for (const auto* loopback : {"127.0.0.1", "127.8.9.10", "::1"})
    EXPECT_EQ(host_key(at(loopback)).address.to_string(), "127.0.0.1") << loopback;
  for (const auto* wildcard : {"0.0.0.0", "::"})
    EXPECT_EQ(host_key(at(wildcard)).address.to_string(), "0.0.0.0") << wildcard;
  for (const auto* other : {"192.168.127.2", "10.0.0.5", "fe80::1"})
    EXPECT_EQ(host_key(at(other)).address.to_string(), "127.0.0.1") << other;
}

TEST(binding, both_protocols_of_one_number_are_two_keys) {
  auto udp = at("0.0.0.0");
  udp.protocol = net::protocol::udp;
  EXPECT_NE(host_key(udp), host_key(at("0.0.0.0")));
}

TEST(binding, a_key_has_text) { EXPECT_EQ(to_string(raw_key(at("::1"))), "tcp [::1]:8080"); }

}  // namespace
}  // namespace ports
