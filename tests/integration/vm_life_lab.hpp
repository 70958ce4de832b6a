// vm_life_lab: the product's whole chain, each program a process that can die: host-switch in the host's namespace;
// network-setup and its vm-switch in the VM; and in the engine's namespace, which network-setup makes, an agent that
// exposes a server's port. Linux's TCP is on both ends.
//
//   host  127.0.0.1, host-switch ═ UNIX sockets, handshake ═ vm-switch ─ eth0 192.168.127.2  (engine's namespace:
//                                                                       agent, server on port 4000)
//   vm    network-setup
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "tests/integration/network_setup_lab.hpp"
#include "tests/integration/tcp_traffic.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"

namespace integration {

class vm_life_lab : public network_setup_lab {
 protected:
  static constexpr std::uint16_t served_port = 4000;  // the agent exposes it
  // Forwards of host-switch's own: to the same server, and to a listener of the test.
  static constexpr std::uint16_t static_port = 4001, test_port = 4002;
  static constexpr net::address host_alias = net::address::v4(192, 168, 127, 254);

  void SetUp() override;
  void TearDown() override;

  void start_host_switch();
  void kill_vm();  // network-setup, vm-switch and all in the engine's namespace

  // Whether the server in the engine's namespace answers at that port of the host.
  [[nodiscard]] bool is_answered(std::uint16_t port) const;
  // Connections both ways between the host and the engine's namespace: half of them of the VM to the host by its
  // alias, half of clients of test_port. Empty after a failure.
  [[nodiscard]] std::vector<tcp_pair> connect_both_ways(int each_way) const;

  std::optional<support::netns> host_;
  support::child_process host_switch_;

 private:
  [[nodiscard]] bool in_engine(const std::function<void()>& work) const;
  void write_programs() const;
};

}  // namespace integration
