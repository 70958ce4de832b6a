// kernel_network: the network whose packets the kernel routes to the VM, over a veth or a tap. It listens for the API
// at the gateway's address, on the interface that carries it, and relays with sockets of the host.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/unique_fd.hpp"
#include "kernel/netlink/address_watch.hpp"
#include "programs/host_switch/api_device.hpp"
#include "programs/host_switch/network.hpp"
#include "relay/listener_set.hpp"
#include "relay/port_status.hpp"

namespace host_switch {

class kernel_network final : public network {
 public:
  // `api` is where listen_for_api() will listen.
  explicit kernel_network(net::endpoint api);

  [[nodiscard]] const net::endpoint& api() const override { return api_; }
  // Fails while the interfaces cannot be read: an unbound socket would accept connections from any of them.
  [[nodiscard]] base::result<std::unique_ptr<os::acceptor>> listen_for_api(const async::executor& where) override;
  async::task<> api_moves() override;
  async::task<> api_may_return() override;

  // On the API's own port, a wildcard shares the port with the API's socket, which keeps its address. Errors are
  // listener_set::add's.
  base::result<> forward(net::protocol protocol, const net::endpoint& host, const net::endpoint& vm) override;
  void stop(net::protocol protocol, const net::endpoint& host) override;

  // The API's listening socket, which only accepts connections that arrive at `device`. Without a device the address
  // need not exist yet: the VM's network may come up later. Fails with address_in_use if another host-switch serves
  // the API.
  [[nodiscard]] base::result<base::unique_fd> open_api_socket(const std::optional<api_device>& device);

  [[nodiscard]] std::vector<relay::port_status> ports() const { return relays_.ports(); }

 private:
  void watch_addresses(const async::executor& where);
  async::task<> address_change(async::clock::duration limit);
  [[nodiscard]] bool holds_a_wildcard(net::protocol protocol, std::uint16_t port) const;

  net::endpoint api_;
  std::optional<api_device> device_;  // at the last listen_for_api()
  std::unique_ptr<netlink::address_watch> watch_;
  relay::listener_set relays_;
};

}  // namespace host_switch
