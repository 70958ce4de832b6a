// message_server: takes PortMapping messages from clients of a socket and passes them on in the order of sending. A
// sender that wants an order finishes one connection before it opens the next.
//
// Theory of operation. Whenever a connection becomes readable, every connection is read as far as the kernel has bytes,
// in the order of acceptance. A silent connection is closed after a while, and delays no other meanwhile. When all
// slots are taken, connection_slots chooses the connection that gives way. Events that a client can provoke are logged
// with a count, not line by line.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "async/task.hpp"
#include "base/unique_fd.hpp"
#include "programs/port_proxy/caller.hpp"
#include "protocols/port_mapping/message.hpp"

namespace port_proxy {

struct message_server_options {
  std::chrono::milliseconds idle_limit{5'000};  // a connection that is silent for so long is closed
  std::size_t max_connections = 64;
  // Whether the connection of this socket may send messages; empty: all may. Does not block.
  std::function<bool(int)> admit{};
};

class message_server {
 public:
  using handler = std::function<void(const port_mapping::message&, const caller&)>;

  // `listening`: a listening, non-blocking stream socket. `take` runs on the control thread and does not block.
  message_server(const async::executor& where, base::unique_fd listening, handler take,
                 message_server_options options = {});
  ~message_server();

  // Runs until cancelled.
  async::task<> run();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace port_proxy
