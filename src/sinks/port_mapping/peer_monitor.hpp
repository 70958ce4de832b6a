// presence: what a port_mapping_sink knows of a peer that gives no answers: whether it is there, and whether it may be
// another one than before. A UNIX socket has one (socket_monitor), a tunnel has another (tunnel_monitor).
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

  // Who is there, by a text that another one does not have; an error while nobody is.
  virtual async::task<base::result<std::string>> check() = 0;
  // Returns when check() may answer something else than it did.
  virtual async::task<> changed() = 0;
  // A message could not be sent: the next check() does not take for granted what it saw.
  virtual void suspect() = 0;
  // Asked when a message has been written. `refused`: its connection was reset behind it. False: whoever was there at
  // the last look is gone, and may not have read it.
  virtual async::task<bool> is_alive(bool refused) = 0;

  // changed() also tells when a peer that is down comes up.
  [[nodiscard]] virtual bool announces_return() const = 0;
  // What receivers are to connect to, as of the last check(); wsl-proxy is told nothing.
  [[nodiscard]] virtual const connect_addresses& addresses() const = 0;
};

}  // namespace port_mapping_peer
