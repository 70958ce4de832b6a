// Against the real kernel, with a router between two network namespaces.
#include "kernel/netfilter/endpoint_guard.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"

namespace netfilter {
namespace {

const net::address gateway = net::address::v4(192, 168, 127, 1);

class forward_guard_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    vm_.emplace();
    vm_->router.run([] { std::ofstream("/proc/sys/net/ipv4/ip_forward") << "1"; });
  }
  bool refused_to(const support::netns& from, std::uint16_t port) const {
    return support::refused(from, {gateway, port});
  }
  bool is_up() const {
    return vm_->router.run([this] { return guard_.is_up().value(); });
  }
  void ensure() const {
    vm_->router.run([this] { EXPECT_TRUE(guard_.ensure()); });
  }
  struct machine {
    machine() {
      support::connect({&router, "eth0", "192.168.127.2/24"}, {&host, "eth0", "192.168.127.1/24"});
      support::connect({&router, "veth0", "172.17.0.1/24"}, {&container, "eth0", "172.17.0.2/24"});
      container.ip({"route", "add", "default", "via", "172.17.0.1"});
      host.ip({"route", "add", "default", "via", "192.168.127.2"});
      api = support::open_socket(host, net::protocol::tcp, {gateway, 80}, true);
      other = support::open_socket(host, net::protocol::tcp, {gateway, 81}, true);
    }
    support::netns router{"router"}, host{"host"}, container{"container"};
    base::unique_fd api, other;
  };
  std::optional<machine> vm_;
  endpoint_guard guard_{{"guard-test", "guard-test:api", {gateway, 80}}};
};

TEST_F(forward_guard_test, refuses_forwarded_connections_to_the_endpoint_alone) {
  EXPECT_FALSE(refused_to(vm_->container, 80));
  ensure();
  EXPECT_TRUE(is_up());
  EXPECT_TRUE(refused_to(vm_->container, 80)) << "with a reset, not a drop";
  EXPECT_FALSE(refused_to(vm_->container, 81));
  EXPECT_FALSE(refused_to(vm_->router, 80)) << "from the machine itself";
  vm_->router.run([this] { EXPECT_TRUE(guard_.remove()); });
  EXPECT_FALSE(is_up());
  EXPECT_FALSE(refused_to(vm_->container, 80));
  vm_->router.run([this] { EXPECT_TRUE(guard_.remove()); });
}

// An engine inserts ACCEPT at the head of FORWARD, and flushes chains.
TEST_F(forward_guard_test, holds_beside_both_variants_of_iptables) {
  ensure();
  for (const auto* program : {"iptables-nft", "iptables-legacy"}) {
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"-I", "FORWARD", "-j", "ACCEPT"}, {"-F"}, {"-P", "FORWARD", "ACCEPT"}}) {
      auto argv = arguments;
      argv.insert(argv.begin(), program);
      support::run_or_throw({.argv = argv, .net_namespace = vm_->router.path()});
      EXPECT_TRUE(refused_to(vm_->container, 80)) << program << ' ' << arguments.front();
    }
  }
  support::run_or_throw({.argv = {"nft", "flush", "ruleset"}, .net_namespace = vm_->router.path()});
  EXPECT_FALSE(is_up());
  ensure();
  EXPECT_TRUE(refused_to(vm_->container, 80));
}

TEST(output_guard, refuses_other_users_of_the_machine_alone) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns machine("machine");
  constexpr std::uint32_t own = 1234, other = 1235;
  for (const auto& ip : {net::address::loopback_v4(), net::address::loopback_v6()}) {
    const net::endpoint at{ip, 3030};
    const auto listening = support::open_socket(machine, net::protocol::tcp, at, true);
    const endpoint_guard guard({"guard-test", "guard-test:users", at, guarded::other_users, own});
    machine.run([&] { EXPECT_TRUE(guard.ensure()); });
    EXPECT_TRUE(machine.run([&] { return guard.is_up().value(); }));
    EXPECT_FALSE(support::refused({machine, 0}, at));
    EXPECT_FALSE(support::refused({machine, own}, at));
    EXPECT_TRUE(support::refused({machine, other}, at));
    machine.run([&] { EXPECT_TRUE(guard.remove()); });
    EXPECT_FALSE(support::refused({machine, other}, at));
  }
}

TEST_F(forward_guard_test, is_added_once_and_replaces_another_one) {
  const endpoint_guard before({"guard-test", "guard-test:api", {gateway, 81}});
  vm_->router.run([&] { EXPECT_TRUE(before.ensure()); });
  EXPECT_FALSE(is_up());
  ensure();
  ensure();
  EXPECT_TRUE(is_up());
  EXPECT_FALSE(refused_to(vm_->container, 81));
}

}  // namespace
}  // namespace netfilter
