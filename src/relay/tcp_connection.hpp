// tcp_connection: two sockets and the two directions between them. Owned by its tcp_relay, used in the loop's turns
// only. How each kind of socket reports its end is in stream_target.hpp.
//
//   connecting   the target was dialled   waits for its answer or the timeout; the client is not read yet
//   relaying     both are connected       every event pumps; ends when both directions finished, or one broke
//   over         the sockets are closed   ignores events; destroyed after the batch
#pragma once

#include <array>
#include <cstdint>
#include <list>

#include "base/unique_fd.hpp"
#include "os/event_loop.hpp"
#include "relay/port_share.hpp"
#include "relay/stream_target.hpp"
#include "relay/tcp_direction.hpp"

namespace relay {

class tcp_relay;

class tcp_connection : public os::event_handler {
 public:
  tcp_connection(tcp_relay& owner, base::unique_fd client, base::unique_fd target, tunnel_side tunnel,
                 connection_ticket ticket);

  // Call one of the two, once: the target is connected, or it is awaited.
  void start();
  void await_target();

  void on_event(unsigned which, std::uint32_t events) override;
  // Ends the connection; both sides see a reset.
  void reset();
  [[nodiscard]] os::clock::time_point since() const { return since_; }

 private:
  friend class tcp_relay;
  enum class state : std::uint8_t { connecting, relaying, over };
  struct side {
    base::unique_fd fd;
    tcp_direction out;         // from this socket to the other
    std::uint32_t events = 0;  // what epoll waits for
    bool watched = false;
    bool tunnel = false;
    bool inet = false;
    bool hung_up = false;  // EPOLLHUP: the peer of a UNIX socket has closed it
  };

  void connected();
  void failed(unsigned which);
  void pump(unsigned from, bool source_ends);
  void count(unsigned from, const tcp_direction::moved& bytes);
  void settle();
  [[nodiscard]] bool was_reset(unsigned from) const;
  [[nodiscard]] bool ended(unsigned from) const { return sides_[from].out.now() == tcp_direction::state::finished; }
  bool arm(unsigned i, std::uint32_t events);
  void finish();

  tcp_relay& owner_;
  os::clock::time_point since_;
  connection_ticket ticket_;
  std::array<side, 2> sides_;  // 0 the client, 1 the target
  state state_ = state::connecting;
  std::list<std::unique_ptr<tcp_connection>>::iterator place_{};  // in the owner's list
};

}  // namespace relay
