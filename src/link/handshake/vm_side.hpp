// vm_side: network-setup's part of the handshake: it listens, sends the phrase to each connection, and takes the one
// that answers READY for the host. Then it connects to the host's data port.
//
// The port is open to the other side's machine, and over UNIX sockets to their owner. A connection that is silent, sends
// something else or comes from another machine is closed after `patience`; at most most_guests are served at a time, and
// further ones are closed at once.
#pragma once

#include <chrono>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "base/unique_fd.hpp"
#include "link/handshake/meeting_point.hpp"
#include "link/handshake/ready.hpp"
#include "os/acceptor.hpp"

namespace handshake {

struct data_connection {
  base::unique_fd fd;           // non-blocking, close-on-exec; frames follow at once
  bool offers_offload = false;  // the host has offered it behind READY
};

class vm_side {
 public:
  static constexpr std::size_t most_guests = 16;
  static constexpr std::chrono::milliseconds patience{5'000};        // for READY
  static constexpr std::chrono::milliseconds offer_patience{300};    // for what follows READY
  static constexpr std::chrono::milliseconds connect_limit{10'000};  // for the data connection
  static constexpr std::chrono::milliseconds between_tries{1'000};

  vm_side(const async::executor& where, meeting_point at);

  // Shakes hands until a data connection is there. Cancelled: throws operation_aborted.
  async::task<data_connection> meet();

 private:
  async::task<> serve(os::socket_acceptor& from, async::task_group& guests);
  async::task<> greet(os::accepted guest);
  async::task<base::result<ready_reader>> read_answer(base::unique_fd fd);
  async::task<> until_ready();
  async::task<base::result<>> wait_for_host();

  meeting_point at_;
  std::size_t guests_ = 0;
  std::optional<ready_reader> answer_;  // of the host
  async::condition ready_;
  base::log::episode trouble_;
  base::log::throttle strangers_;
};

}  // namespace handshake
