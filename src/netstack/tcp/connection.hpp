// connection: one TCP connection toward the VM (RFC 9293), as a pure machine: segments, socket events and time go in,
// segments and events come out. It knows no addresses, frames or sockets; netstack::stack owns it. It reports failure
// as an event: reset, or timed_out. A hostile segment can at worst end its own connection.
//
// Theory of operation. The parts do the work: handshake (SYN), sender (transmission and repetition), receiver
// (reception and acknowledgement), acknowledgement_delay (requests and answers), keep_alive (dead peers). The
// connection decides by its state which part a segment reaches, and which end closes. It is polled: after each batch of
// segments, after each event and when wake_at() has passed, the owner calls next_segment() until it returns false, and
// take_events() once.
//
// The host comes first: a SYN from the VM is answered when the host has accepted, so the VM sees a refusal as a
// refusal.
//
// Checks of segments (RFC 9293, 3.10.7.4; RFC 5961): a segment must overlap the window, otherwise an acknowledgement
// answers it. A RST counts only at exactly the next number, and is challenged elsewhere in the window; a SYN is
// challenged. An acknowledgement of unsent bytes is answered and its segment dropped. The number of challenges per
// second is bounded, so that two ends that disagree do not answer each other forever. Urgent data is ordinary data.
//
// Ends. A FIN travels each way after its bytes. finish_with_reset() sends a RST after them. The peer's RST becomes an
// event once the bytes before it are consumed. An active close waits half a second in TIME_WAIT: long enough for a
// repeated FIN, which a RST would answer as well. No other state times out while the peer answers (RFC 1122, 4.2.3.6):
// neither an idle connection nor a half-closed one.
//
// States, and what the owner may do (everything else is ignored); on_segment(), on_time(), next_segment(),
// take_events() and abort() are always legal:
//   connecting    the VM's SYN came                         connected()
//   syn_sent      our SYN is sent, or is due           send_room(), written(), finish()
//   syn_received  our SYN-ACK is sent                        send_room(), written(), finish()
//   established   both directions are open                  consume(), send_room(), written(), finish()
//   fin_wait_1    we finish, the peer has not               consume()
//   fin_wait_2    our FIN is acknowledged                   consume()
//   close_wait    the peer finished, we have not            consume(), send_room(), written(), finish()
//   closing       both finished, our FIN is not acknowledged      consume()
//   last_ack      the peer finished first, then we did          consume()
//   time_wait     both are done, we closed first            consume()
//   closed        nothing remains                           consume()
//
// Bounds: see send_queue, sack_scoreboard and receive_queue. An idle connection holds no heap memory from a second or
// two after its last byte.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "netstack/bytes.hpp"
#include "netstack/tcp/acknowledgement_delay.hpp"
#include "netstack/tcp/handshake.hpp"
#include "netstack/tcp/keep_alive.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/receiver.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sender.hpp"
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

// What has happened since the last take_events().
struct events {
  bool established = false;    // the handshake is done
  bool readable = false;       // arrived() has more bytes
  bool peer_finished = false;  // the FIN has arrived, and every byte before it is consumed
  bool writable = false;       // send_room() has room again after it had none
  bool reset = false;          // the peer's RST; reported once the bytes before it are consumed
  bool timed_out = false;      // no answer to SYN, data or keep-alive; reported immediately
  bool closed = false;         // nothing remains to do: the owner may destroy the connection

  bool operator==(const events&) const = default;
};

class connection {
 public:
  // From the VM's SYN. It is not answered before connected(): the host's connect() comes first. A SYN that is repeated
  // meanwhile is ignored; abort() refuses it with a RST.
  [[nodiscard]] static connection accept(const segment& syn, const limits& l, sequence initial, time_point now);
  // We open: the first next_segment() is the SYN.
  [[nodiscard]] static connection open(const limits& l, sequence initial, time_point now);

  // Only in state::connecting: the host has accepted, so the SYN-ACK is sent.
  void connected(time_point now);
  // The payload must stay valid until keep(), or until it is consumed.
  void on_segment(const segment& s, time_point now);
  void on_time(time_point now);
  // When on_time() has something to do; `never` only if nothing remains to do.
  [[nodiscard]] time_point wake_at() const;

  // From the VM: slices in the order of the stream, valid until the next call of on_segment(), consume() or keep().
  [[nodiscard]] std::span<const bytes_view> arrived() const;
  // The first `bytes` of arrived() are processed: the peer may send that many more.
  void consume(std::size_t bytes, time_point now);
  // The batch ends and its frames are freed: copies the bytes that are not consumed.
  void keep();

  // To the VM. Fill the room and report the number of bytes to written(); written(0) returns an unused ring. Both
  // slices are empty when there is no room; then `writable` follows.
  [[nodiscard]] std::array<bytes_span, 2> send_room(const send_queue::growth& how);
  [[nodiscard]] std::array<bytes_span, 2> send_room() { return send_room({}); }
  void written(std::size_t bytes, time_point now);
  // Sends a FIN after everything written. Nothing may be written afterwards.
  void finish(time_point now);
  // Sends a RST after everything written: the host's end was reset. Everything from the peer is discarded.
  void finish_with_reset(time_point now);
  // The next segment is a RST, then the connection is closed. Unsent bytes are dropped.
  void abort();

  // The next segment to send now, with at most `budget` bytes of payload, or false. The payload's slices are valid
  // until the next call of a member other than next_segment().
  [[nodiscard]] bool next_segment(outgoing& to, time_point now,
                                  std::size_t budget = std::numeric_limits<std::size_t>::max());
  [[nodiscard]] events take_events();

  // The peer's window from now on; what was announced already stays valid. At most most_receive_window.
  void set_receive_window(std::size_t bytes);
  // ICMP "fragmentation needed": sends larger segments that are in flight again, in smaller ones.
  void set_most_segment(std::uint16_t bytes);

  [[nodiscard]] tcp::state state() const { return state_; }
  // Whether this SYN for the same ports begins a new connection (RFC 9293, 3.10.7.4; RFC 6191): destroy this one and
  // accept() it.
  [[nodiscard]] bool gives_way_to(const segment& syn) const;
  // Whether an ICMP error that quotes this number concerns a segment in flight (RFC 5927).
  [[nodiscard]] bool is_under_way(sequence number) const;
  // Whether the segment begins after a gap, so that its payload would be kept.
  [[nodiscard]] bool is_out_of_order(const segment& s) const {
    return is_synchronized() && s.number > receiver_.next();
  }
  // Heap bytes held: rings, queues and lists.
  [[nodiscard]] std::size_t send_memory() const { return sender_.memory(); }
  [[nodiscard]] std::size_t receive_memory() const { return receiver_.memory(); }
  [[nodiscard]] std::size_t memory() const { return send_memory() + receive_memory(); }

 private:
  static constexpr duration time_wait = std::chrono::milliseconds(500);
  static constexpr duration trim_after = std::chrono::seconds(1);
  static constexpr unsigned challenges_a_second = 10;

  connection(const limits& l, handshake h, time_point now);

  void on_segment_connecting(const segment& s);
  void on_segment_syn_sent(const segment& s, time_point now);
  void on_segment_synchronized(const segment& s, time_point now);
  [[nodiscard]] bool passes_checks(const segment& s, time_point now);
  void on_reset_segment(const segment& s, time_point now);
  void on_not_acceptable(const segment& s, time_point now);
  [[nodiscard]] bool complete_handshake(const segment& s, time_point now);
  [[nodiscard]] bool take_acknowledgement(const segment& s, time_point now);
  void become_established(const segment& s, time_point now);
  void on_our_fin_acknowledged(time_point now);
  void on_peers_fin(time_point now);
  void challenge(time_point now);
  void enter_time_wait(time_point now);
  void time_out();
  void end_by_reset();
  void close();
  void touch(time_point now);
  void trim_if_idle(time_point now);
  [[nodiscard]] bool is_synchronized() const { return state_ >= state::established && state_ < state::closed; }
  [[nodiscard]] bool may_write() const;
  [[nodiscard]] bool asks_keep_alive() const;
  [[nodiscard]] bool may_delay() const { return receiver_.must_acknowledge() && receiver_.may_wait(); }
  [[nodiscard]] bool fill_reset(outgoing& to);
  [[nodiscard]] bool must_acknowledge(time_point now) const;
  [[nodiscard]] bool fill_acknowledgement(outgoing& to);

  limits limits_;
  tcp::state state_;
  handshake handshake_;
  sender sender_;
  receiver receiver_;
  acknowledgement_delay delay_;
  keep_alive keep_alive_;
  events events_;
  std::optional<sequence> stray_reset_;  // answers an acknowledgement of another connection
  time_point time_wait_until_ = never;
  time_point trim_at_ = never;
  time_point challenged_since_;
  unsigned challenges_ = 0;
  bool active_ = false;  // since trim_at_ was set
  bool reset_due_ = false;
  bool resets_behind_ = false;  // finish_with_reset()
  bool was_reset_ = false;      // by the peer
  bool finished_given_ = false;
  bool end_given_ = false;
};

}  // namespace netstack::tcp
