#include "translator/client_source.hpp"

#include <gtest/gtest.h>

namespace translator {
namespace {

constexpr netstack::ipv4::address gateway{0xc0a8'7f01};

client_source passing() {
  return {source_address::client,
          gateway,
          {net::cidr::parse("192.168.127.0/24").value(), net::cidr::parse("172.17.0.0/16").value()}};
}

net::endpoint client(std::string_view ip) { return {net::address::parse(ip).value(), 4711}; }

TEST(client_source, a_client_of_the_lan_keeps_its_endpoint) {
  EXPECT_EQ(passing().of(client("10.0.0.5")), (netstack::endpoint{{0x0a00'0005}, 4711}));
}

TEST(client_source, the_gateway_stands_for_addresses_that_mean_another_machine_in_the_vm) {
  for (const auto* ip :
       {"127.0.0.1", "::1", "fd00::5", "192.168.127.9", "172.17.0.2", "169.254.1.1", "0.0.0.0", "224.0.0.1"})
    EXPECT_EQ(passing().of(client(ip)), (netstack::endpoint{gateway, 0})) << ip;
}

TEST(client_source, by_default_the_gateway_stands_for_all) {
  const client_source all(source_address::gateway, gateway, {});
  EXPECT_EQ(all.of(client("10.0.0.5")), (netstack::endpoint{gateway, 0}));
}

}  // namespace
}  // namespace translator
