// exposed_port: a listening or bound socket of the host whose clients reach a port of the VM. Owned by plane.
#pragma once

#include "os/event_loop.hpp"
#include "relay/port_traffic.hpp"

namespace translator {

class exposed_port : public os::event_handler {
 public:
  // Starts. False: see errno.
  [[nodiscard]] virtual bool watch() = 0;
  // Closes the socket. Events of the same batch may still arrive, and are ignored.
  virtual void close() = 0;
  [[nodiscard]] virtual const relay::port_traffic& traffic() const = 0;
};

}  // namespace translator
