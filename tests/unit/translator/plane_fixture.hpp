// plane_fixture: the data plane behind its handle, with scripted VMs on its links and real sockets of the host. Tests
// let time pass; they do not wait for it.
#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <string>

#include "async/clock.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/unit/translator/scripted_vm.hpp"
#include "tests/unit/translator/vm_connection.hpp"
#include "translator/translator.hpp"

namespace translator {

inline std::array<base::unique_fd, 2> make_pair(int kind) {
  std::array<int, 2> pair{};
  EXPECT_EQ(::socketpair(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
  return {base::unique_fd(pair[0]), base::unique_fd(pair[1])};
}

inline constexpr net::endpoint loopback(std::uint16_t port) { return {net::address::loopback_v4(), port}; }
// The host's 127.0.0.1 as the VM reaches it.
inline endpoint by_alias(const base::unique_fd& server) {
  return {host_alias, support::local_endpoint(server.get()).port};
}

class plane_fixture : public testing::Test {
 protected:
  static plane_options usual() {
    plane_options made;
    made.stack.udp_client_ports = udp_ports;
    made.stack.leases.push_back({second_mac, second_vm});
    return made;
  }
  void start(plane_options options = usual(), std::size_t descriptors = 1'000) {
    auto pair = make_pair(SOCK_SEQPACKET);
    dns_ = std::move(pair[0]);
    plane_.reset();
    budget_.emplace(descriptors);
    plane_.emplace(std::move(options), *budget_, std::move(pair[1]));
  }
  translator& plane() { return *plane_; }

  // A link whose other end is the test's.
  base::unique_fd add_link(int kind = SOCK_STREAM) {
    auto ends = make_pair(kind);
    any_link link = kind == SOCK_STREAM ? any_link(links::stream_link(std::move(ends[1]), {}))
                                        : any_link(links::datagram_link(std::move(ends[1])));
    EXPECT_TRUE(plane_->add_link(std::move(link), [this](const base::error&) { ++ended_links_; }));
    return std::move(ends[0]);
  }
  // A VM that the data plane knows.
  scripted_vm join(netstack::ipv4::address own = vm, const net::mac_address& mac = vm_mac) {
    scripted_vm made(links::stream_link(add_link(), {}), own, mac);
    made.say_where();
    EXPECT_TRUE(soon([&] { return knows(mac); }));
    return made;
  }
  bool knows(const net::mac_address& mac) {
    return std::ranges::any_of(plane_->stations(), [&](const auto& one) { return one.mac == mac; });
  }

  // Time passes, and what is due then has been done.
  void pass(std::chrono::nanoseconds time) {
    async::clock::advance(time);
    turn();
  }
  // The turn in progress ends, and one more.
  void turn() {
    for (int i = 0; i < 2; ++i) static_cast<void>(plane_->links());
  }
  template <class Condition>
  static bool soon(Condition&& holds) {
    return support::eventually(patience, std::forward<Condition>(holds));
  }
  // No connection is left.
  [[nodiscard]] bool is_quiet() {
    return soon([&] { return now(plane().count().connections) == 0 && plane().statistics().flows == 0; });
  }
  static std::uint64_t now(const counters::number& one) { return one.load(); }

  static constexpr netstack::ipv4::address second_vm{0xc0a8'7f03};
  static constexpr net::mac_address second_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0x03}};

  base::unique_fd dns_;  // the control thread's end
  std::optional<relay::descriptor_budget> budget_;
  std::atomic<int> ended_links_ = 0;
  std::optional<translator> plane_;
};

// What a server of the host accepts next, with a deadline on its calls.
inline base::unique_fd accept_from(const base::unique_fd& server) { return support::accept_one(server.get()); }
inline base::unique_fd tcp_server() { return support::bound_socket(SOCK_STREAM, loopback(0)); }
inline base::unique_fd udp_server() { return support::bound_socket(SOCK_DGRAM, loopback(0)); }

using support::is_reset;

}  // namespace translator
