// What the VM reaches on the host, and what host-switch says about it.
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

class host_access : public virtual_network_lab {
 protected:
  [[nodiscard]] std::uintmax_t log_size() const { return std::filesystem::file_size(at("host-switch.log")); }
  // Connects of several clients at one time, none of which may succeed.
  static void connect_in_vain(const support::netns& from, const net::endpoint& to, int times) {
    constexpr int clients = 8;
    std::vector<std::jthread> all;
    for (int i = 0; i < clients; ++i)
      all.emplace_back([&] {
        from.run([&] {
          const auto address = net::to_sockaddr(to);
          for (int n = 0; n < times / clients; ++n) {
            const base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            set_blocking(fd.get());
            char byte = 0;
            if (::connect(fd.get(), address.get(), address.size) == 0) EXPECT_LE(::recv(fd.get(), &byte, 1, 0), 0);
          }
        });
      });
  }
};

// A container that asks for its own published port.
TEST_F(host_access, a_published_port_is_reached_from_the_vm_itself) {
  start_and_wait();
  ASSERT_EQ(expose("0.0.0.0:8080", "192.168.127.2:8080"), 200);
  const auto named = in_vm({"busybox", "nslookup", "host.docker.internal", "192.168.127.1"});
  EXPECT_NE(named.text.find("192.168.127.254"), std::string::npos) << named.text;
  const auto listener = support::open_socket(*vm_, protocol::tcp, {net::address::any_v4(), exposed_port}, true);
  for (const auto& by : {host_alias, host_address}) {
    const auto both = connect_by(listener.get(), *vm_, {by, exposed_port});
    ASSERT_TRUE(both) << by.to_string();
    expect_bytes_both_ways(both, 10 * megabyte);
  }
}

TEST_F(host_access, refused_connects_leave_the_log_small) {
  start_and_wait({"-debug=false"});
  ASSERT_EQ(expose("10.99.1.1:8080", "192.168.127.2:8080"), 200);
  const auto before = log_size();
  connect_in_vain(*vm_, {lan_address, 9}, 8'000);
  connect_in_vain(*lan_, {host_address, exposed_port}, 2'000);
  EXPECT_LT(log_size() - before, 10'000U) << log();
}

// Its lease is another one; a static forward to the usual address leads nowhere.
TEST_F(host_access, a_forward_to_an_address_without_a_vm_says_so) {
  vm_->ip({"address", "flush", "dev", "eth0"});
  vm_->ip({"link", "set", "eth0", "address", "02:00:00:00:00:99"});
  start({"-port-forward=10.99.1.1:2222=192.168.127.2:22"});
  EXPECT_TRUE(eventually(10s, [this] {
    return in_vm({"busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t2", "-T1", "-s", "/bin/true"})
               .text.find("192.168.127.3 obtained") != std::string::npos;
  }));
  const auto client = dial(*lan_, {host_address, 2222});
  if (client) expect_reset(client.get());
  EXPECT_TRUE(
      eventually(15s, [this] { return log().find("no VM has the address of a forward") != std::string::npos; }));
  EXPECT_NE(log().find("192.168.127.2"), std::string::npos);
  EXPECT_NE(log().find("192.168.127.3"), std::string::npos) << "the addresses that VMs have";
}

}  // namespace
}  // namespace integration
