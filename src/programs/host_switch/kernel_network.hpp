// kernel_network: host-switch's way to the VM where the kernel routes to it, over a veth or a tap. Everything that
// touches the VM's side is here: the API's socket at the gateway address, and the relays that dial into the VM. A
// network that is carried in user space takes the place of this class.
#pragma once

#include <optional>

#include "base/episode.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "programs/host_switch/api_device.hpp"
#include "relay/listener_set.hpp"

namespace host_switch {

class kernel_network {
 public:
  // `api` is where listen_for_api() will listen.
  explicit kernel_network(net::endpoint api);

  [[nodiscard]] const net::endpoint& api() const { return api_; }
  // The listening socket of the API, which takes what arrives at `device` alone. Without one the address need not be
  // there yet: the VM's network may come up later. Where the right to bind to an interface is missing, the socket takes
  // what arrives at any of them, and a warning says so once: access_policy still looks at each client's address. Error:
  // also address_in_use where another host-switch serves it.
  [[nodiscard]] base::result<base::unique_fd> listen_for_api(const std::optional<api_device>& device);

  // Listens on the host and relays into the VM. A wildcard is for both families. On the API's own port, a wildcard
  // shares the port with the API's socket, which keeps its address. Errors are listener_set::add's.
  base::result<> forward(net::protocol protocol, const net::endpoint& host, const net::endpoint& vm);
  // The listening socket is closed when it returns.
  void stop(net::protocol protocol, const net::endpoint& host);

 private:
  [[nodiscard]] bool holds_a_wildcard(net::protocol protocol, std::uint16_t port) const;

  net::endpoint api_;
  relay::listener_set relays_;
  base::log::episode unbound_{"api", "not bound to the VM's interface, each client's address is checked alone"};
};

}  // namespace host_switch
