// tcp_direction: one half of a relayed connection, from one socket to the other. Bulk data goes by splice(2) and never
// enters user space. A message that fits a small buffer is copied, which costs less than a pipe does (docs/adr/0003).
// Its states and what is legal in them:
//
//   open      bytes may come            pump() reads and writes
//   draining  the source has ended      pump() writes the backlog
//   finished  all bytes were passed on  shut the destination for writing
//   broken    an error on either side   reset the connection
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

  struct moved {
    std::size_t read = 0;     // bytes that the source has given
    std::size_t written = 0;  // bytes that the destination has taken
  };
  // Moves what it can without blocking, at most about a megabyte, so that others get their turn; epoll reports the
  // rest. Pass `source_ends` if EOF is already known; it is then handled in this call. Without a pipe, for want of
  // descriptors, it copies.
  moved pump(int source, int destination, pipe_pool& pipes, bool source_ends);
  // A TCP source has urgent data, or will have. Bytes are copied up to the mark, and the byte at the mark is sent as
  // urgent if the destination is TCP. Otherwise, and if a later mark replaces it, it travels in line.
  void urgent_ahead() { urgent_ = true; }

  [[nodiscard]] state now() const { return state_; }
  // The events it waits for: bytes at the source, or room at the destination. Never both: while the destination is slow
  // the source is not read, and its sender slows down.
  [[nodiscard]] bool wants_read() const { return state_ == state::open && !backlog(); }
  [[nodiscard]] bool wants_write() const { return backlog() && (state_ == state::open || state_ == state::draining); }

 private:
  [[nodiscard]] std::size_t backlog_bytes() const { return in_pipe_ + unsent_.size(); }
  [[nodiscard]] bool backlog() const { return backlog_bytes() > 0; }
  std::size_t move_some(int source, int destination, pipe_pool& pipes, bool source_ends);
  std::size_t splice_in(int source, const pipe_pair& pipe);
  std::size_t copy(int source, int destination, bool source_ends);
  std::size_t copy_to_mark(int source, int destination);
  void pass_on(int destination, std::span<const char> bytes, int more);
  void send_unsent(int destination);
  bool drain(int destination, pipe_pool& pipes);
  void note_read(ssize_t answer);

  std::optional<pipe_pair> pipe_;
  std::size_t in_pipe_ = 0;
  std::vector<char> unsent_;  // copied bytes, less than a buffer, while the destination is slow
  int unsent_flags_ = 0;
  bool urgent_ = false;
  bool bulk_ = false;  // the last read filled the buffer
  state state_ = state::open;
};

}  // namespace relay
