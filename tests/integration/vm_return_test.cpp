// A VM with a lease of the pool, before and after the end of host-switch.
#include <gmock/gmock.h>

#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

class vm_return : public virtual_network_lab {
 protected:
  // Another MAC than the VM's usual one, whose lease is fixed.
  void take_a_lease_of_the_pool() {
    vm_->ip({"address", "flush", "dev", "eth0"});
    vm_->ip({"link", "set", "eth0", "address", "02:00:00:00:00:77"});
    const auto asked = in_vm({"busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-s", "/bin/true"});
    ASSERT_THAT(asked.text, testing::HasSubstr("192.168.127.3 obtained"));
    vm_->ip({"address", "add", "192.168.127.3/24", "dev", "eth0"});
    vm_->ip({"route", "replace", "default", "via", "192.168.127.1"});
  }
  [[nodiscard]] bool reaches_lan() const {
    return support::ask(*vm_, protocol::tcp, lan_server, "hello\n", 500ms) == "lan\n";
  }
};

TEST_F(vm_return, with_a_lease_of_the_pool_is_heard_again_without_dhcp) {
  const auto server = serve(*lan_, {"tcp:7000"}, "lan");
  start_and_wait();
  take_a_lease_of_the_pool();
  ASSERT_TRUE(eventually(10s, [&] { return reaches_lan(); }));
  host_switch_.kill9();
  EXPECT_FALSE(reaches_lan());
  start();
  EXPECT_TRUE(eventually(10s, [&] { return reaches_lan(); })) << log();
  const auto request = support::http_get(*vm_, gateway_api, "/services/forwarder/all");
  EXPECT_TRUE(request) << "the API serves it as before";
  EXPECT_EQ(expose("10.99.1.1:8080", "192.168.127.3:8080"), 200);
}

}  // namespace
}  // namespace integration
