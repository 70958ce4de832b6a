#include "programs/privileged_service/vm_network.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <optional>

#include "tests/support/netns.hpp"

namespace privileged_service {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

net::address ip(const char* text) { return net::address::parse(text).value(); }

// A host between its VM and a LAN by which it reaches all others.
class host_of_a_vm : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    host_.emplace("host"), vm_.emplace("vm"), lan_.emplace("lan");
    support::connect({&*host_, "vm0", "172.26.1.1/24"}, {&*vm_, "eth0", "172.26.1.5/24"});
    support::connect({&*host_, "lan0", "192.168.9.2/24"}, {&*lan_, "eth0", "192.168.9.1/24"});
    host_->ip({"route", "add", "default", "via", "192.168.9.1"});
  }
  std::string refuse(const char* text, const char* networks = "") {
    const auto rule = vm_network::parse(networks).value();
    return host_->run([&] { return rule.refuse(ip(text)); });
  }
  std::optional<support::netns> host_, vm_, lan_;
};

TEST_F(host_of_a_vm, relays_to_the_vm_alone) {
  EXPECT_THAT(refuse("172.26.1.5"), IsEmpty());
  for (const auto* own : {"172.26.1.1", "192.168.9.2", "127.0.0.1", "127.9.9.9"})
    EXPECT_EQ(refuse(own), "is this machine itself") << own;
  EXPECT_THAT(refuse("192.168.9.1"), HasSubstr("network of the default route"));
  EXPECT_THAT(refuse("198.51.100.1"), HasSubstr("not on a network of this machine"));
  for (const auto* group : {"172.26.1.255", "224.0.0.1", "255.255.255.255"})
    EXPECT_EQ(refuse(group), "is no address of one machine") << group;
  EXPECT_THAT(refuse("2001:db8::5"), HasSubstr("cannot be looked up"));
}

TEST_F(host_of_a_vm, with_a_list_of_networks_the_list_decides) {
  EXPECT_THAT(refuse("192.168.9.1", "192.168.9.0/24,fd00::/8"), IsEmpty());
  EXPECT_EQ(refuse("172.26.1.5", "192.168.9.0/24"), "is not in -vmNetworks");
  EXPECT_EQ(refuse("192.168.9.2", "192.168.9.0/24"), "is this machine itself");
}

TEST(vm_networks, are_read_strictly) {
  for (const auto* wrong : {"x", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/8,", "10.0.0.0/8;fd00::/8", "fd00::/129", "/8"})
    EXPECT_FALSE(vm_network::parse(wrong)) << wrong;
  EXPECT_TRUE(vm_network::parse("10.0.0.0/8, fd00::/8"));
}

}  // namespace
}  // namespace privileged_service
