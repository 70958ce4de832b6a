// message_server: takes PortMapping messages from clients of a socket and hands them on, in the order in which they
// were sent: of a sender that finished one connection before it opened the next one, in that order.
//
// How: whatever becomes readable, every connection is read to the end of what the kernel has, in the order in which
// they were accepted. A connection on which nothing comes is closed after a while, and meanwhile delays no other.
//
// Slots are shared by callers. When all are taken, the caller with the most connections gives one up, and a newcomer
// that would be its caller's largest share gives way itself. Of a caller the eight oldest connections are never given
// up for newcomers: among them is the silent one by which an agent notices that its way still leads here
// (docs/adr/0009). Everything that a client can provoke is logged with a count, not line by line.
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
  std::chrono::milliseconds idle_limit{5'000};  // a connection on which nothing came for so long is closed
  std::size_t max_connections = 64;
  // Whether the connection of this socket may send messages; empty: every one may. Does not block.
  std::function<bool(int)> admit{};
};

class message_server {
 public:
  using handler = std::function<void(const port_mapping::message&, const caller&)>;

  // `listening`: a stream socket that listens, non-blocking. `take` is called on the control thread, and does not
  // block.
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
