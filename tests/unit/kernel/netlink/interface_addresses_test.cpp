#include "kernel/netlink/interface_addresses.hpp"

#include <gmock/gmock.h>
#include <net/if.h>
#include <unistd.h>

#include "tests/support/netns.hpp"

namespace netlink {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

net::address ip(const char* text) { return net::address::parse(text).value(); }

TEST(interface_addresses, has_the_loopback_interface_with_its_prefix) {
  const interface_address lo{"lo", net::address::loopback_v4(), 8, true};
  EXPECT_THAT(read_addresses().value(), Contains(lo));
  EXPECT_THAT(addresses_of("lo").value(), Contains(lo));
  EXPECT_THAT(addresses_of("none0").value(), IsEmpty());
  EXPECT_EQ(interface_of(net::address::loopback_v4()), ::if_nametoindex("lo"));
  EXPECT_EQ(interface_of(ip("192.0.2.77")), 0U);
}

TEST(interface_addresses, an_alias_is_an_address_of_its_interface) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("addresses");
  const support::inside here(place);
  place.ip({"link", "add", "eth0", "type", "bridge"});
  place.ip({"address", "add", "10.1.0.1/24", "dev", "eth0"});
  place.ip({"address", "add", "10.2.0.1/20", "dev", "eth0", "label", "eth0:1"});
  place.ip({"address", "add", "fd00:127::1/64", "dev", "eth0", "nodad"});
  EXPECT_THAT(addresses_of("eth0").value(), ElementsAre(interface_address{"eth0", ip("10.1.0.1"), 24, false},
                                                        interface_address{"eth0", ip("10.2.0.1"), 20, false},
                                                        interface_address{"eth0", ip("fd00:127::1"), 64, false}));
  EXPECT_EQ(interface_of(ip("10.2.0.1")), ::if_nametoindex("eth0"));
  EXPECT_EQ(interface_of(ip("fd00:127::1")), ::if_nametoindex("eth0"));
}

}  // namespace
}  // namespace netlink
