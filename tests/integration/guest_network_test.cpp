// host-switch with a virtual machine as its VM: QEMU's own end of the link (-netdev stream), Debian's kernel with
// virtio-net, BusyBox' udhcpc and resolver. guest/network runs inside.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <fstream>

#include "tests/integration/datagram_server.hpp"
#include "tests/integration/dns_answer.hpp"
#include "tests/integration/guest_machine.hpp"
#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

constexpr std::chrono::milliseconds boot_limit = 240s;  // 13 seconds of processor time at most for each boot
constexpr auto host_ip = net::address::v4(10, 99, 1, 1);

// A resolver that knows each name: 10.99.1.2.
void answer_question(int fd, const std::string& question, const net::socket_address& from) {
  if (question.size() < 12) return;
  echo(fd, dns_answer(question, {"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x63\x01\x02", 16}), from);
}

class guest_network : public virtual_network_lab {
 protected:
  void SetUp() override {
    make_places();
    if (!lan_) return;
    if (const auto missing = guest_machine::missing(); !missing.empty()) GTEST_SKIP() << missing;
    names_.emplace(*host_, net::endpoint{net::address::loopback_v4(), 53}, answer_question);
    port_ = serve(*host_, {"tcp:7000"}, "host");
    hashes_ = support::child_process(
        {.argv = {"busybox", "nc", "-ll", "-p", "7001", "-e", "md5sum"}, .net_namespace = host_->path()});
    machine_.emplace("network");
    machine_->add_file(std::filesystem::path(GUESTAGENT_SOURCE_DIR) / "tests/integration/guest/lease");
    machine_->add_program(GUESTAGENT_ECHO_SERVER);
    machine_->add_network_modules();
    machine_->connect_network(at("qemu.sock"));
    start_host_switch();
  }
  void TearDown() override {
    if (HasFailure() && machine_) std::fputs(machine_->console().c_str(), stderr);
    machine_.reset();
    virtual_network_lab::TearDown();
  }
  // With a resolver of the test's own.
  void start_host_switch() {
    std::ofstream(at("resolv.conf")) << "nameserver 127.0.0.1\n";
    std::ofstream(at("hosts")) << "";
    start_by({"unshare", "-m", "sh", "-c",
              "mount --bind \"$0\"/resolv.conf /etc/resolv.conf && mount --bind \"$0\"/hosts /etc/hosts && exec \"$@\"",
              directory_->path().string()},
             {"-listen=qemu://" + at("qemu.sock")});
    ASSERT_TRUE(eventually(10s, [this] { return log().find("ready") != std::string::npos; })) << log();
  }
  [[nodiscard]] bool boots_until(std::string_view what) {
    machine_->start();
    return eventually(boot_limit, [&] { return machine_->said(what); });
  }
  [[nodiscard]] bool is_reached() const {
    return support::ask(*lan_, protocol::tcp, {host_ip, 8080}, "hello\n") == "guest\n";
  }
  // The hash that the guest computes of a file's bytes.
  [[nodiscard]] std::string hash_in_guest(const std::string& file) const {
    return support::run_command({.argv = {"busybox", "nc", host_ip.to_string(), "8081"},
                                 .stdin_file = file,
                                 .net_namespace = lan_->path()})
        .text;
  }

  std::optional<datagram_server> names_;
  support::child_process port_, hashes_;
  std::optional<guest_machine> machine_;
};

TEST_F(guest_network, a_debian_kernel_has_its_address_names_and_ports) {
  ASSERT_TRUE(boots_until("exposed")) << log();
  for (const auto* what :
       {"lease 192.168.127.2/24 router=192.168.127.1 dns=192.168.127.1 mtu=1500",
        "name gateway.rancher-desktop.internal 192.168.127.1", "name host.docker.internal 192.168.127.254",
        "name outside.example 10.99.1.2", "no such name", "ping 0", "ping 56", "ping 1472", "ping 8000",
        "host port host", "closed port", "out"})
    EXPECT_TRUE(machine_->said(what)) << what;
  EXPECT_TRUE(is_reached());
  for (const std::size_t size : std::initializer_list<std::size_t>{5, 8'000, 60'000}) {
    const std::string datagram(size, 'x');
    EXPECT_EQ(support::ask(*lan_, protocol::udp, {host_ip, 8080}, datagram, 10s), "guest " + datagram);
  }
  support::run_or_throw({.argv = {"dd", "if=/dev/urandom", "of=" + at("data"), "bs=1M", "count=8"}});
  const auto hash = support::run_or_throw({.argv = {"md5sum"}, .stdin_file = at("data")});
  EXPECT_EQ(hash_in_guest(at("data")), hash);
}

// The connection of a client ends with the machine. When that has booted again, the exposed port leads to it again.
TEST_F(guest_network, a_killed_machine_is_noticed_and_takes_up_its_ports_when_it_is_back) {
  ASSERT_TRUE(boots_until("exposed")) << log();
  auto client = support::open_socket(*lan_, protocol::tcp, {host_ip, 8081}, false);
  ASSERT_TRUE(client);
  ASSERT_EQ(::send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
  machine_->kill9();
  pollfd ended{client.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 20'000), 1) << log();
  char byte = 0;
  EXPECT_EQ(::recv(client.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  ASSERT_TRUE(boots_until("out")) << log();
  EXPECT_TRUE(eventually(10s, [this] { return is_reached(); })) << log();
}

// Linux behind a tap is the first VM, and has the fixed lease.
class second_machine : public guest_network {
 protected:
  void SetUp() override {
    guest_network::SetUp();
    if (!machine_) return;
    connect_vm({});
    machine_->connect_network(at("qemu.sock"), "52:54:00:12:34:56");
  }
};

TEST_F(second_machine, has_a_lease_and_ports_of_its_own_and_reaches_the_first_one) {
  const auto first = serve(*vm_, {"tcp:7002"}, "first");
  ASSERT_TRUE(eventually(10s, [this] { return vm_is_connected(); })) << log();
  ASSERT_TRUE(boots_until("exposed")) << log();
  EXPECT_TRUE(machine_->said("lease 192.168.127.3/24 router=192.168.127.1 dns=192.168.127.1 mtu=1500"));
  EXPECT_TRUE(machine_->said("other machine first"));
  EXPECT_TRUE(is_reached());
  EXPECT_EQ(support::ask(*vm_, protocol::tcp, {net::address::v4(192, 168, 127, 3), 8080}, "hello\n", 10s), "guest\n");
  EXPECT_EQ(expose("127.0.0.1:8090", "192.168.127.3:8080"), 500) << "the first one may expose its own address alone";
}

}  // namespace
}  // namespace integration
