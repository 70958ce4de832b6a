#include "sinks/loopback/machine_state.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include "sinks/loopback/rule_plan.hpp"
#include "tests/support/netns.hpp"

namespace loopback {
namespace {

using testing::ElementsAre;

net::address ip(const char* text) { return net::address::parse(text).value(); }

TEST(machine_state, finds_the_peers_devices_and_networks) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("machine");
  const support::inside here(place);
  place.ip({"link", "add", "eth0", "type", "bridge"});
  place.ip({"link", "add", "veth0", "type", "bridge"});
  place.ip({"address", "add", "10.1.0.1/24", "dev", "eth0"});
  place.ip({"address", "add", "192.168.127.2/24", "dev", "eth0", "label", "eth0:1"});
  place.ip({"address", "add", "192.168.143.1/32", "dev", "veth0"});
  EXPECT_THAT(read_machine({})->peers,
              ElementsAre(peer_interface{"eth0", ip("192.168.127.2"), net::cidr(ip("192.168.127.0"), 24)},
                          peer_interface{"veth0", ip("192.168.143.1"), net::cidr(ip("192.168.143.0"), 24)}));
  rule_options whole;
  whole.interface = "eth0";
  EXPECT_THAT(read_machine(whole)->peers,
              ElementsAre(peer_interface{"eth0", ip("10.1.0.1"), net::cidr(ip("10.1.0.0"), 24)},
                          peer_interface{"eth0", ip("192.168.127.2"), net::cidr(ip("192.168.127.0"), 24)}));
}

}  // namespace
}  // namespace loopback
