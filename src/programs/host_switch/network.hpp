// network: host-switch's connection to the VM. It accepts the API's connections at the gateway's address, and relays
// ports of the host into the VM. Owned by host_switch; control thread only.
#pragma once

#include <memory>

#include "async/task.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "os/acceptor.hpp"

namespace host_switch {

class network {
 public:
  network() = default;
  network(const network&) = delete;
  network& operator=(const network&) = delete;
  virtual ~network() = default;

  [[nodiscard]] virtual const net::endpoint& api() const = 0;  // where the VM reaches the API

  // Starts to accept the API's connections. The error has the kernel's code, such as address_in_use.
  [[nodiscard]] virtual base::result<std::unique_ptr<os::acceptor>> listen_for_api(const async::executor& where) = 0;
  // Returns when the VM can no longer reach the socket of the last listen_for_api(): listen again.
  virtual async::task<> api_moves() = 0;
  // After a failure of listen_for_api(): returns when another try may succeed.
  virtual async::task<> api_may_return() = 0;

  // Listens on the host and relays to `vm`. A wildcard covers both families. The error has the kernel's code.
  virtual base::result<> forward(net::protocol protocol, const net::endpoint& host, const net::endpoint& vm) = 0;
  // The listening socket is closed when it returns.
  virtual void stop(net::protocol protocol, const net::endpoint& host) = 0;
};

}  // namespace host_switch
