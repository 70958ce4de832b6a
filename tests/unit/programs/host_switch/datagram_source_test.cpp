// -listen=unixgram://PATH: one VM after the other on the same socket.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "net/stream_address.hpp"
#include "netstack/arp.hpp"
#include "netstack/ethernet.hpp"
#include "programs/host_switch/link_source.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace host_switch {
namespace {

using netstack::bytes;

constexpr net::mac_address vm_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};

std::array<base::unique_fd, 2> make_pair() {
  std::array<int, 2> pair{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
  return {base::unique_fd(pair[0]), base::unique_fd(pair[1])};
}

bytes arp_request() {
  bytes frame(netstack::ethernet::header_size + netstack::arp::message_size);
  netstack::ethernet::write_header(frame, net::mac_address::broadcast(), vm_mac, netstack::ethernet::ethertype::arp);
  netstack::arp::write(std::span(frame).subspan(netstack::ethernet::header_size),
                       {.what = netstack::arp::operation::request,
                        .sender_mac = vm_mac,
                        .sender = netstack::vm,
                        .target_mac = {},
                        .target = netstack::gateway});
  return frame;
}

class datagram_source_test : public testing::Test {
 protected:
  datagram_source_test()
      : dns_(make_pair()),
        budget_(1'000),
        plane_({}, budget_, std::move(dns_[1])),
        source_(link_source::open({.kind = links::link_kind::unix_datagram, .path = directory_ / "host"}, plane_)) {
    loop_.spawn(source_->serve());
    EXPECT_TRUE(loop_.run_until([&] { return plane_.links().size() == 1; }));
  }
  ~datagram_source_test() override { loop_.stop(); }

  [[nodiscard]] net::socket_address name(const std::string& of) const {
    return net::to_sockaddr(net::stream_address(net::unix_path{directory_ / of}));
  }
  // A VM's socket that is connected to host-switch's.
  [[nodiscard]] base::unique_fd vm(const std::string& of) const {
    base::unique_fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto own = name(of), host = name("host");
    EXPECT_EQ(::bind(fd.get(), own.get(), own.size), 0);
    EXPECT_EQ(::connect(fd.get(), host.get(), host.size), 0);
    return fd;
  }
  [[nodiscard]] bool is_answered(const base::unique_fd& vm) {
    const auto frame = arp_request();
    EXPECT_EQ(::send(vm.get(), frame.data(), frame.size(), 0), std::ssize(frame));
    std::array<std::uint8_t, 2'048> got{};
    bool answered = false;
    return loop_.run_until(
        [&] { return answered = answered || ::recv(vm.get(), got.data(), got.size(), MSG_DONTWAIT) > 0; });
  }
  [[nodiscard]] netstack::link_id link() {
    const auto all = plane_.links();
    return all.empty() ? 0 : all.front().id;
  }
  // A client of an exposed port has the VM asked: the write finds that it has gone.
  void write_to_vm() {
    auto at = net::to_sockaddr(net::endpoint{net::address::loopback_v4(), 0});
    base::unique_fd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    base::unique_fd free(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(free.get(), at.get(), at.size), 0);
    ASSERT_EQ(::getsockname(free.get(), at.get(), &at.size), 0);
    free.reset();
    ASSERT_TRUE(plane_.expose(net::protocol::udp, *net::from_sockaddr(at), {netstack::vm, 53}));
    ASSERT_EQ(::sendto(client.get(), "x", 1, 0, at.get(), at.size), 1);
  }

  support::temp_dir directory_;
  support::event_loop loop_;
  std::array<base::unique_fd, 2> dns_;
  relay::descriptor_budget budget_;
  translator::translator plane_;
  base::result<link_source> source_;
};

TEST_F(datagram_source_test, the_next_vm_is_served_though_it_connected_before_the_end_of_the_last_link) {
  auto first = vm("first");
  ASSERT_TRUE(is_answered(first));
  const auto second = vm("second");
  const auto link_of_first = link();
  first.reset();
  write_to_vm();
  ASSERT_TRUE(loop_.run_until([&] { return link() > link_of_first; })) << "the link has not ended";
  EXPECT_TRUE(is_answered(second));
}

TEST_F(datagram_source_test, the_next_vm_is_served_before_anything_is_written_to_the_last_one) {
  auto first = vm("first");
  ASSERT_TRUE(is_answered(first));
  const auto link_of_first = link();
  first.reset();
  const auto second = vm("second");
  EXPECT_TRUE(is_answered(second));
  EXPECT_EQ(link(), link_of_first);
}

}  // namespace
}  // namespace host_switch
