// message_server: takes PortMapping messages from whoever connects to a socket and hands them on, in the order in which
// they were sent: a sender that finished one connection before it opened the next one is heard in that order.
//
// How: whatever becomes readable, every connection is read to the end of what the kernel has, in the order in which
// they were accepted. A connection on which nothing comes is closed after a while, and meanwhile keeps nobody waiting.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "base/unique_fd.hpp"
#include "io/task.hpp"
#include "portmapping/message.hpp"

namespace portproxy {

struct message_server_options {
  std::chrono::milliseconds idle_limit{5'000};  // a connection on which nothing came for so long is closed
  std::size_t max_connections = 64;             // one more: the one that was silent for the longest time is closed
};

class message_server {
 public:
  using handler = std::function<void(const portmapping::message&)>;

  // `listening`: a stream socket that listens, non-blocking. `take` is called on the control thread, and does not
  // block.
  message_server(const io::executor& where, base::unique_fd listening, handler take,
                 message_server_options options = {});
  ~message_server();

  // Runs until cancelled.
  io::task<> run();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace portproxy
