// Against the real kernel: a peer addresses packets to 127.0.0.1 itself while route_localnet is on. Once with nftables,
// and once with nftables denied.
#include "kernel/netfilter/localnet_guard.hpp"

#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

#include "base/text.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/probe.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/run_task.hpp"

namespace netfilter {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;

const std::string tag = "rancher-desktop-guestagent";
const net::endpoint secret{net::address::loopback_v4(), 9001};

const nat_programs legacy_programs{nat_variant::legacy, "/usr/sbin/iptables-legacy-save",
                                   "/usr/sbin/iptables-legacy-restore"};

class localnet_guard_test : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/iptables-legacy-restore", X_OK) != 0) GTEST_SKIP() << "iptables is not installed";
    lab_.emplace();
  }
  // In the VM; with nftables denied to the thread if the parameter is false.
  void in_vm(const std::function<void()>& work) const {
    lab_->vm.run([&] {
      if (GetParam()) return work();
      EXPECT_TRUE(support::run_without({SYS_socket, 2, NETLINK_NETFILTER, EPROTONOSUPPORT}, work));
    });
  }
  void ensure() {
    in_vm([&] { EXPECT_TRUE(support::run_task(context_, guard_.ensure({"tap0"}))); });
  }
  void remove() {
    in_vm([&] { EXPECT_TRUE(support::run_task(context_, guard_.remove())); });
  }
  bool holds() const {
    bool held = false;
    in_vm([&] { held = guard_.holds(); });
    return held;
  }
  // One try: whether a connection from there arrives at the VM's server within 200 ms.
  bool arrives(const support::netns& from) const {
    static_cast<void>(support::ask(from, net::protocol::tcp, secret, "x", 200ms));
    pollfd one{.fd = lab_->server.get(), .events = POLLIN, .revents = 0};
    if (::poll(&one, 1, 0) != 1) return false;
    const base::unique_fd accepted(::accept(lab_->server.get(), nullptr, nullptr));
    return true;
  }
  // On a busy machine the first try can be late.
  bool is_reached(const support::netns& from) const {
    return support::eventually(5s, [&] { return arrives(from); });
  }
  bool is_dropped() const { return !arrives(lab_->peer); }
  bool is_reached() const { return is_reached(lab_->peer); }
  std::vector<std::string> raw() const { return rules_of("raw"); }
  std::vector<std::string> rules_of(const std::string& table) const {
    const auto text =
        support::run_or_throw({.argv = {"iptables-legacy-save", "-t", table}, .net_namespace = lab_->vm.path()});
    std::vector<std::string> lines;
    for (const auto line : base::split(text, '\n'))
      if (line.starts_with("-A ")) lines.emplace_back(line);
    return lines;
  }

  struct machines {
    machines() {
      support::connect({&vm, "tap0", "192.168.127.2/24"}, {&peer, "eth0", "192.168.127.1/24"});
      localnet(vm, "tap0", '1');
      localnet(peer, "eth0", '1');
      peer.ip({"address", "del", "127.0.0.1/8", "dev", "lo"});
      peer.ip({"route", "add", "127.0.0.0/8", "via", "192.168.127.2", "src", "192.168.127.1"});
      server = support::open_socket(vm, net::protocol::tcp, secret, true);
    }
    static void localnet(const support::netns& where, const std::string& device, char value) {
      where.run([&] { std::ofstream("/proc/sys/net/ipv4/conf/" + device + "/route_localnet") << value; });
    }
    support::netns vm{"vm"}, peer{"peer"};
    base::unique_fd server;
  };
  std::optional<machines> lab_;
  boost::asio::io_context context_;
  localnet_guard guard_{tag, {legacy_programs}};
};

TEST_P(localnet_guard_test, drops_what_the_peer_addresses_to_loopback) {
  ASSERT_TRUE(is_reached()) << "without the guard";
  ensure();
  EXPECT_TRUE(is_dropped());
  EXPECT_TRUE(is_reached(lab_->vm)) << "the VM's own";
  EXPECT_THAT(raw(), SizeIs(GetParam() ? 0 : 1));
  remove();
  EXPECT_TRUE(is_reached());
  EXPECT_THAT(raw(), IsEmpty());
}

TEST_P(localnet_guard_test, is_restored_in_front_of_other_rules) {
  ASSERT_TRUE(is_reached());
  ensure();
  support::run_or_throw({.argv = {"nft", "flush", "ruleset"}, .net_namespace = lab_->vm.path()});
  support::run_or_throw(
      {.argv = {"iptables-legacy", "-t", "raw", "-I", "PREROUTING", "-j", "ACCEPT"}, .net_namespace = lab_->vm.path()});
  EXPECT_TRUE(is_reached());
  EXPECT_EQ(holds(), !GetParam()) << "nftables does not show iptables-legacy";
  ensure();
  EXPECT_TRUE(is_dropped());
  EXPECT_TRUE(holds());
  EXPECT_THAT(raw(), SizeIs(GetParam() ? 1 : 2)) << "ours once";
}

INSTANTIATE_TEST_SUITE_P(, localnet_guard_test, testing::Bool(),
                         [](const auto& about) { return about.param ? "nftables" : "legacy"; });

}  // namespace
}  // namespace netfilter
