// peer_monitor: whether the peer of a port_mapping_sink, which gives no answers, is up, and whether it may be another
// one than before. socket_monitor does it for a UNIX socket, tunnel_monitor for a tunnel.
#pragma once

#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "ports/sink.hpp"
#include "protocols/port_mapping/message.hpp"

namespace port_mapping_peer {

using connect_addresses = std::vector<port_mapping::connect_address>;

class peer_monitor {
 public:
  virtual ~peer_monitor() = default;

  // The identity of the peer, a text that no other one has; an error while it is down.
  virtual async::task<base::result<std::string>> check() = 0;
  // Returns when check() may have another result.
  virtual async::task<> changed() = 0;
  // A message could not be sent: the next check() does not rely on earlier results.
  virtual void suspect() = 0;
  // After a message has been written. `refused`: its connection was reset then. False: the peer of the last check() is
  // gone, and may not have read the message.
  virtual async::task<bool> is_alive(bool refused) = 0;

  // Whether changed() also returns when a peer that is down comes up.
  [[nodiscard]] virtual bool announces_return() const = 0;
  // The VM's addresses for receivers, as of the last check(); none for wsl-proxy.
  [[nodiscard]] virtual const connect_addresses& addresses() const = 0;
};

}  // namespace port_mapping_peer
