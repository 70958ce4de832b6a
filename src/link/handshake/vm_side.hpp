// vm_side: network-setup's part of the handshake: it listens, sends the phrase to each connection, and takes the one
// that answers READY as the host's. Then it connects to the host's data port.
//
// Any program of the other side's machine can connect to the port; over UNIX sockets, only their owner. A connection
// that is silent, sends another text or comes from another machine is closed after `patience`. At most most_guests are
// served at a time; further ones are closed immediately.
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
  base::unique_fd fd;           // non-blocking, close-on-exec; frames may follow immediately
  bool offers_offload = false;  // the host offered it after READY
};

class vm_side {
 public:
  static constexpr std::size_t most_guests = 16;
  static constexpr std::chrono::milliseconds patience{5'000};        // for READY
  static constexpr std::chrono::milliseconds offer_patience{300};    // for the words after READY
  static constexpr std::chrono::milliseconds connect_limit{10'000};  // for the data connection
  static constexpr std::chrono::milliseconds between_tries{1'000};

  vm_side(const async::executor& where, meeting_point at);

  // Repeats the handshake until a data connection is open. Cancelled: throws operation_aborted.
  async::task<data_connection> meet();

 private:
  async::task<> serve(os::socket_acceptor& from, async::task_group& guests);
  async::task<> greet(os::accepted guest);
  async::task<base::result<ready_reader>> read_answer(base::unique_fd fd);
  async::task<> until_ready();
  async::task<base::result<>> wait_for_host();

  meeting_point at_;
  std::size_t guests_ = 0;
  std::optional<ready_reader> answer_;  // the host's
  async::condition ready_;
  base::log::episode trouble_;
  base::log::throttle strangers_, meetings_{std::chrono::minutes(1), 4};
};

}  // namespace handshake
