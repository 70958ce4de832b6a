// sender_guard: lets root and the peer's own user send through the peer's TCP listener. TCP on a loopback address is
// open to every user of the machine.
//
// An agent may connect, write one message and close at once. At the time of the accept its socket is gone, and the
// kernel no longer knows its user. So an nftables rule rejects the packets of other users as they are sent: while it is
// up, a client that has closed was root or our own user. For an open client the kernel is asked as well. If the rule
// cannot be added, and on a wildcard address, clients that have closed are refused.
#pragma once

#include <atomic>
#include <chrono>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "kernel/netfilter/endpoint_guard.hpp"
#include "net/endpoint.hpp"

namespace vtunnel {

class sender_guard {
 public:
  explicit sender_guard(const net::endpoint& at);
  sender_guard(const sender_guard&) = delete;
  sender_guard& operator=(const sender_guard&) = delete;
  ~sender_guard();  // removes the rule

  // Adds the rule for a socket that listens already, and resets clients that connected earlier.
  void stand_before(int listening);
  // Restores the rule when the kernel announces a change. Runs until cancelled.
  async::task<> keep();
  // Whether to relay this connection, just accepted. From any thread; does not block.
  [[nodiscard]] bool admits(int client) const;

 private:
  [[nodiscard]] bool ensure();

  net::endpoint at_;
  netfilter::endpoint_guard rule_;
  std::atomic<std::int64_t> trusted_from_;  // steady time; earlier, a closed client may have connected without the rule
  base::log::episode trouble_;
};

}  // namespace vtunnel
