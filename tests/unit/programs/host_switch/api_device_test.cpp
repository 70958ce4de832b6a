#include "programs/host_switch/api_device.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <optional>

#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"

namespace host_switch {
namespace {

const auto gateway = net::address::v4(192, 168, 127, 1);

class api_device_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    host_.emplace("api-device");
  }
  void add(const std::string& name) const {
    host_->ip({"link", "add", name, "type", "veth", "peer", "name", name + "p"});
    host_->ip({"link", "set", name, "up"});
  }
  void give(const std::string& address, const std::string& name) const {
    host_->ip({"address", "add", address, "dev", name, "nodad"});
  }
  [[nodiscard]] std::optional<api_device> found(const net::address& ip) const {
    return host_->run([&] { return find_device(ip).value(); });
  }
  [[nodiscard]] std::string name_of(const net::address& ip) const { return found(ip).value_or(api_device{}).name; }

  std::optional<support::netns> host_;
};

TEST_F(api_device_test, is_the_interface_with_exactly_this_address) {
  EXPECT_EQ(found(gateway), std::nullopt) << "before the VM's network is up";
  add("tap0"), add("eth0");
  host_->ip({"address", "add", "192.168.127.2/24", "dev", "eth0"});
  EXPECT_EQ(found(gateway), std::nullopt) << "a neighbour's address is not the gateway's";
  host_->ip({"address", "add", "192.168.127.1/24", "dev", "tap0"});
  EXPECT_EQ(name_of(gateway), "tap0");
  EXPECT_NE(found(gateway)->index, 0U);
  host_->ip({"address", "del", "192.168.127.1/24", "dev", "tap0"});
  EXPECT_EQ(found(gateway), std::nullopt);
}

// A socket bound to the loopback interface would be out of the VM's reach.
TEST_F(api_device_test, ignores_the_loopback_interface) {
  EXPECT_EQ(found(net::address::loopback_v4()), std::nullopt);
  EXPECT_EQ(found(net::address::loopback_v6()), std::nullopt);
  host_->ip({"address", "add", "192.168.127.1/32", "dev", "lo"});
  EXPECT_EQ(found(gateway), std::nullopt);
  add("tap0");
  host_->ip({"address", "add", "192.168.127.1/24", "dev", "tap0"});
  EXPECT_EQ(name_of(gateway), "tap0") << "though the loopback interface has it too";
}

TEST_F(api_device_test, an_alias_is_known_by_the_name_of_its_interface) {
  add("eth0");
  host_->ip({"address", "add", "192.168.127.1/24", "dev", "eth0", "label", "eth0:1"});
  EXPECT_EQ(name_of(gateway), "eth0");
  EXPECT_NE(found(gateway)->index, 0U);
}

TEST_F(api_device_test, has_addresses_of_both_families) {
  add("tap0");
  give("fd00:127::1/64", "tap0");
  EXPECT_EQ(name_of(net::address::parse("fd00:127::1").value()), "tap0");
  EXPECT_EQ(found(net::address::parse("fd00:127::2").value()), std::nullopt);
}

// A socket that is bound to the old one receives nothing.
TEST_F(api_device_test, a_new_interface_of_the_same_name_is_another_one) {
  std::vector<api_device> seen;
  for (int i = 0; i < 2; ++i) {
    add("tap0");
    host_->ip({"address", "add", "192.168.127.1/24", "dev", "tap0"});
    seen.push_back(found(gateway).value());
    host_->ip({"link", "del", "tap0"});
  }
  EXPECT_EQ(seen[0].name, seen[1].name);
  EXPECT_NE(seen[0], seen[1]);
}

TEST_F(api_device_test, interfaces_that_cannot_be_read_are_an_error_and_not_none) {
  const bool ran = support::run_without({SYS_socket, 0, AF_NETLINK, EMFILE}, [] {
    const auto found = find_device(gateway);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, std::errc::too_many_files_open);
  });
  if (!ran) GTEST_SKIP() << "no seccomp filters here";
}

}  // namespace
}  // namespace host_switch
