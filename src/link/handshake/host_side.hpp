// host_side: host-switch's part of the handshake: it looks for the VM once a second, verifies its phrase, listens for
// its data connection, and answers READY. Only that VM may connect. If the data connection does not arrive in time, the
// handshake starts over: a process that an earlier VM left behind may have sent the phrase.
#pragma once

#include <chrono>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/unique_fd.hpp"
#include "link/handshake/meeting_point.hpp"

namespace handshake {

class host_side {
 public:
  static constexpr std::chrono::milliseconds phrase_limit{5'000};
  static constexpr std::chrono::milliseconds data_limit{10'000};  // for the data connection
  static constexpr std::chrono::milliseconds between_tries{1'000};

  // `offers_offload`: adds the offer after READY.
  host_side(meeting_point at, bool offers_offload);

  // Looks for the VM until its data connection is open. The descriptor is non-blocking and close-on-exec; frames may
  // follow immediately. Cancelled: throws operation_aborted.
  async::task<base::unique_fd> meet();

 private:
  async::task<base::result<base::unique_fd>> meet_once();
  async::task<base::result<base::unique_fd>> accept_vm(base::unique_fd listening);

  meeting_point at_;
  bool offers_offload_;
  base::log::episode trouble_;
  base::log::throttle meetings_{std::chrono::minutes(1), 4};
};

}  // namespace handshake
