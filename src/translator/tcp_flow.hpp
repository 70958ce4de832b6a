// tcp_flow: one socket of the host and its TCP connection of the VM. Owned by tcp_flows; loop thread only.
//
//   connecting   the host's connect() is under way     nothing is read or written
//   opening      a client of an exposed port waits     only its end is noticed: push() and pull() wait for relay()
//                for the VM's answer
//   relaying     both ends are connected               push() and pull() on every event
//   over         the socket is closed                  ignores events; destroyed after the batch
//
// Theory of operation. The socket is edge-triggered in both directions from the start, so no call changes the events
// that epoll waits for. push() moves the VM's bytes to the socket until the socket is full; pull() reads the socket
// directly into the connection's send ring until the socket is empty or the ring is full. The next edge, or
// action::writable, continues. No byte is copied in between.
//
// Ends. EOF of the socket becomes the VM's FIN, and the VM's FIN becomes SHUT_WR. A reset is passed on after all bytes
// that were read before it: after a failed write the socket is read to its end first. A reset of the VM closes the
// socket with SO_LINGER 0.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.hpp"
#include "relay/port_share.hpp"
#include "translator/shared.hpp"

namespace translator {

class tcp_flows;

class tcp_flow final : public os::event_handler {
 public:
  enum class state : std::uint8_t { connecting, opening, relaying, over };

  tcp_flow(tcp_flows& owner, netstack::flow_id id, base::unique_fd fd, state begins)
      : owner_(owner), id_(id), fd_(std::move(fd)), state_(begins) {}

  // False: see errno.
  [[nodiscard]] bool watch();
  void on_event(unsigned which, std::uint32_t events) override;

  void relay();  // both ends are connected now: from connecting or opening
  void push();   // VM → socket
  // socket → VM. After a short read the socket is empty, except for its end, which causes an event of its own.
  enum class until : std::uint8_t { short_read, nothing_is_left };
  void pull(until when = until::short_read);
  void finish();  // the VM sends nothing more
  // Closes the socket; its peer sees a reset, or an orderly end.
  void close(bool reset);

  [[nodiscard]] netstack::flow_id id() const { return id_; }
  [[nodiscard]] state now() const { return state_; }

  netstack::ipv4::address vm;
  netstack::time_point lost_since = netstack::time_point::max();  // the VM's link is gone
  relay::connection_ticket ticket;                                // for a client of an exposed port
  relay::descriptor_lease lease;                                  // for a connection of the VM
  bool pushes_later = false;                                      // is in tcp_flows' list

 private:
  void on_connected();
  void on_nothing_read(ssize_t got);
  void on_socket_end();
  void on_broken();
  void abort();
  [[nodiscard]] bool is_relaying() const { return state_ == state::relaying; }

  tcp_flows& owner_;
  netstack::flow_id id_;
  base::unique_fd fd_;
  state state_;
  bool socket_ended_ = false;  // EOF was read
  bool hung_up_ = false;       // an event has reported it: a short read is not the last one
  bool broken_ = false;        // a write failed: the rest is read, then the VM's side is reset
};

}  // namespace translator
