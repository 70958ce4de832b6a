// tcp_direction: one half of a relayed connection, from one socket to the other. Bulk goes by splice(2) and never
// enters user space; a message that fits a small buffer is copied through it, which costs less than a pipe does
// (docs/adr/0003). Its states and what is legal in them:
//
//   open      bytes may come           pump() reads and writes
//   draining  the source has ended     pump() writes what is in the pipe
//   finished  all was passed on        nothing: the destination's sending side is to be shut
//   broken    an error on either side  nothing: the connection is reset
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "relay/pipe_pool.hpp"

namespace relay {

class tcp_direction {
 public:
  enum class state : std::uint8_t { open, draining, finished, broken };

  // Moves what can be moved without blocking, at most about a megabyte, so that others get their turn; epoll tells when
  // there is more. Who knows that the source is at its end says so, and it is met at once. Out of file descriptors, so
  // without a pipe, it goes on copying.
  void pump(int source, int destination, pipe_pool& pipes, bool source_ends);
  // Of a TCP source: urgent data is on its way or there. Bytes are copied up to its mark, and the byte at the mark gets
  // one at the destination, where that is TCP; elsewhere, and where a later mark replaces it, it travels in line.
  void urgent_ahead() { urgent_ = true; }

  [[nodiscard]] state now() const { return state_; }
  // Which events it waits for: bytes at the source, or room at the destination. Never both: while the destination is
  // slow the source is left alone, and its sender slows down.
  [[nodiscard]] bool wants_read() const { return state_ == state::open && !backlog(); }
  [[nodiscard]] bool wants_write() const { return backlog() && (state_ == state::open || state_ == state::draining); }

 private:
  [[nodiscard]] bool backlog() const { return in_pipe_ > 0 || !unsent_.empty(); }
  std::size_t move_some(int source, int destination, pipe_pool& pipes, bool source_ends);
  std::size_t splice_in(int source);
  std::size_t copy(int source, int destination, bool source_ends);
  std::size_t copy_to_mark(int source, int destination);
  void pass_on(int destination, std::span<const char> bytes, int more);
  void send_unsent(int destination);
  bool drain(int destination, pipe_pool& pipes);
  void note_read(ssize_t answer);

  std::optional<pipe_pair> pipe_;
  std::size_t in_pipe_ = 0;
  std::vector<char> unsent_;  // of what was copied; less than a buffer, and only while the destination is slow
  int unsent_flags_ = 0;
  bool urgent_ = false;
  bool bulk_ = false;  // the last time, there was more than the buffer holds
  state state_ = state::open;
};

}  // namespace relay
