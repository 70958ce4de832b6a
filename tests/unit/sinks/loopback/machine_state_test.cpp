#include "sinks/loopback/machine_state.hpp"

#include <gmock/gmock.h>
#include <net/if.h>
#include <unistd.h>

#include "sinks/loopback/rule_plan.hpp"
#include "tests/support/netns.hpp"

namespace loopback {
namespace {

using testing::ElementsAre;

net::address ip(const char* text) { return net::address::parse(text).value(); }

peer_interface peer(const char* device, const char* address, const char* network) {
  return {device, ip(address), net::cidr(ip(network), 24), ::if_nametoindex(device)};
}

TEST(machine_state, finds_the_peers_devices_and_networks) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("machine");
  const support::inside here(place);
  place.ip({"link", "add", "eth0", "type", "bridge"});
  place.ip({"link", "add", "veth0", "type", "bridge"});
  place.ip({"address", "add", "10.1.0.1/24", "dev", "eth0"});
  place.ip({"address", "add", "192.168.127.2/24", "dev", "eth0", "label", "eth0:1"});
  place.ip({"address", "add", "192.168.143.1/32", "dev", "veth0"});
  EXPECT_THAT(read_machine({})->peers, ElementsAre(peer("eth0", "192.168.127.2", "192.168.127.0"),
                                                   peer("veth0", "192.168.143.1", "192.168.143.0")));
  rule_options whole;
  whole.interface = "eth0";
  EXPECT_THAT(read_machine(whole)->peers,
              ElementsAre(peer("eth0", "10.1.0.1", "10.1.0.0"), peer("eth0", "192.168.127.2", "192.168.127.0")));
}

TEST(machine_state, a_device_that_is_made_again_makes_another_state) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("machine");
  const support::inside here(place);
  const auto make = [&place] {
    place.ip({"link", "add", "veth0", "type", "bridge"});
    place.ip({"address", "add", "192.168.143.1/24", "dev", "veth0"});
    return read_machine({}).value();
  };
  const auto before = make();
  EXPECT_EQ(read_machine({}).value(), before);
  place.ip({"link", "delete", "veth0"});
  const auto after = make();
  EXPECT_THAT(after.peers, testing::SizeIs(1));
  EXPECT_NE(after, before);
}

}  // namespace
}  // namespace loopback
