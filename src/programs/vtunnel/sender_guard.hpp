// sender_guard: who may send through the peer's TCP listener: root and the peer's own user, as TCP on a loopback
// address is open to every user of the machine.
//
// An agent may connect, write one message and close at once. By the time of the accept no process holds its socket any
// more, and the kernel no longer knows whose it was. So a rule in nftables refuses other users' packets as they are
// sent; while it stands, a socket that is closed already was root's or our own user's. Of an open one the kernel is
// asked all the same. Without the right to have the rule, and on a wildcard address, clients that have closed are
// refused.
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
  ~sender_guard();  // takes the rule out

  // Puts the rule up in front of a socket that listens there, and resets who connected before it stood.
  void stand_before(int listening);
  // Heals when the kernel announces a change. Until cancelled.
  async::task<> keep();
  // Whether this connection, just accepted, may be relayed. From any thread; does not block.
  [[nodiscard]] bool admits(int client) const;

 private:
  [[nodiscard]] bool ensure();

  net::endpoint at_;
  netfilter::endpoint_guard rule_;
  std::atomic<std::int64_t> trusted_from_;  // steady time; a closed client may have connected before it
  base::log::episode trouble_;
};

}  // namespace vtunnel
