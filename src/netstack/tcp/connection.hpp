// connection: one TCP connection toward the VM (RFC 9293), as a pure machine: segments, socket events and time go in,
// segments and events come out. It knows no addresses, no frames and no sockets; netstack::stack owns it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "netstack/bytes.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {

enum class state : std::uint8_t {
  connecting,
  syn_sent,
  syn_received,
  established,
  fin_wait_1,
  fin_wait_2,
  close_wait,
  closing,
  last_ack,
  time_wait,
  closed,
};

// What happened since the last take_events().
struct events {
  bool established = false;    // the handshake is done
  bool readable = false;       // arrived() has more bytes
  bool peer_finished = false;  // the FIN came, and every byte before it has been consumed
  bool writable = false;       // send_room() has room again after it had none
  bool reset = false;          // the peer's RST; given once what came before it has been consumed
  bool timed_out = false;      // no answer to SYN, data or keep-alive; given at once
  bool closed = false;         // nothing is left to do or to send: the owner may drop the connection

  bool operator==(const events&) const = default;
};

class connection {
 public:
  // The VM's SYN. Nothing is answered until connected(): the host's connect() comes first. A repeated SYN meanwhile is
  // ignored; abort() refuses it with a RST.
  [[nodiscard]] static connection accept(const segment& syn, const limits& l, sequence initial, time_point now);
  // We open: the first next_segment() is the SYN.
  [[nodiscard]] static connection open(const limits& l, sequence initial, time_point now);

  // state::connecting alone: the host accepted; the SYN-ACK goes out.
  void connected(time_point now);
  // The payload must stay valid until keep(), or until consume() has taken it.
  void on_segment(const segment& s, time_point now);
  void on_time(time_point now);
  // When on_time() has something to do; `never` only if nothing is left to do.
  [[nodiscard]] time_point wake_at() const;

  // From the VM: slices in the order of the stream, valid until the next call of on_segment(), consume() or keep().
  [[nodiscard]] std::span<const bytes_view> arrived() const;
  // The first `bytes` of arrived() are done with: the peer gets their room.
  void consume(std::size_t bytes, time_point now);
  // The batch ends and its frames go: what arrived and is not consumed is copied.
  void keep();

  // To the VM. Fill the room, then written() says how much of it; written(0) gives an unused ring back. Both slices are
  // empty when there is no room: then `writable` follows.
  [[nodiscard]] std::array<bytes_span, 2> send_room();
  void written(std::size_t bytes, time_point now);
  // FIN behind all that was written. Nothing may be written afterwards.
  void finish(time_point now);
  // RST behind all that was written: the host's end was reset.
  void finish_with_reset(time_point now);
  // The next segment is a RST, then closed. What was written and is not sent is dropped.
  void abort();

  // The next segment to send now, with at most `budget` bytes of payload, or false. The payload's slices are valid until
  // the next call of a member other than next_segment().
  [[nodiscard]] bool next_segment(outgoing& to, time_point now,
                                  std::size_t budget = std::numeric_limits<std::size_t>::max());
  [[nodiscard]] events take_events();

  // The window that the peer may use from now on; what was announced already stays valid. At most most_receive_window.
  void set_receive_window(std::size_t bytes);
  // ICMP "fragmentation needed": what is under way and too large is sent again in smaller segments.
  void set_most_segment(std::uint16_t bytes);

  [[nodiscard]] tcp::state state() const;
  // A SYN for the same ports begins a new connection (RFC 9293, 3.10.7.4; RFC 6191): drop this one and accept() it.
  [[nodiscard]] bool gives_way_to(const segment& syn) const;
  // An ICMP error that quotes this number is about a segment under way (RFC 5927).
  [[nodiscard]] bool is_under_way(sequence number) const;
  // Heap bytes held: rings, queues and lists.
  [[nodiscard]] std::size_t memory() const;
};

}  // namespace netstack::tcp
