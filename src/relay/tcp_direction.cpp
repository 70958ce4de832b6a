#include "relay/tcp_direction.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include "relay/pipe_pool.hpp"
#include "relay/sockets.hpp"

namespace relay {
namespace {

constexpr std::size_t most_at_once = 512 << 10;
constexpr std::size_t little = 16 << 10;
constexpr int rounds = 3;
constexpr unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

bool has_bytes(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

// The result of a read from the source: bytes, an end, an error, or nothing for now.
void tcp_direction::note_read(ssize_t answer) {
  if (answer == 0) state_ = state::draining;
  if (answer < 0 && !would_block()) state_ = state::broken;
}

std::size_t tcp_direction::splice_in(int source, const pipe_pair& pipe) {
  const auto got = ::splice(source, nullptr, pipe.write.get(), nullptr, most_at_once, flags);
  urgent_ = got == 0 && has_bytes(source);  // splice also returns 0 before a mark that the end follows
  if (urgent_) return 0;
  note_read(got);
  if (got <= 0) return 0;
  in_pipe_ += static_cast<std::size_t>(got);
  return static_cast<std::size_t>(got);
}

// If the source ends, its end is read before the last bytes are sent: both then travel in one segment.
std::size_t tcp_direction::copy(int source, int destination, bool source_ends) {
  std::array<char, little> buffer;
  std::size_t got = 0;
  for (ssize_t more = 1; more > 0 && (got == 0 || source_ends) && got < buffer.size();) {
    more = ::recv(source, buffer.data() + got, buffer.size() - got, MSG_DONTWAIT);
    note_read(more);
    got += static_cast<std::size_t>(std::max<ssize_t>(more, 0));
  }
  if (got == 0) return 0;
  const int end_follows = state_ == state::draining ? MSG_MORE : 0;
  pass_on(destination, std::span(buffer).first(got), end_follows);
  return got;
}

void tcp_direction::pass_on(int destination, std::span<const char> bytes, int more) {
  const auto sent = ::send(destination, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL | more);
  if (sent < 0 && !would_block()) state_ = state::broken;
  const auto left = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
  unsent_.assign(left.begin(), left.end());
  unsent_flags_ = left.empty() ? 0 : more & MSG_OOB;
}

// recv() stops at the mark.
std::size_t tcp_direction::copy_to_mark(int source, int destination) {
  std::array<char, little> buffer;
  const bool at_mark = ::sockatmark(source) == 1;
  const auto got = ::recv(source, buffer.data(), at_mark ? 1 : buffer.size(), MSG_DONTWAIT);
  note_read(got);
  if (at_mark || got <= 0) urgent_ = false;
  if (got <= 0) return 0;
  const auto bytes = std::span(buffer).first(static_cast<std::size_t>(got));
  pass_on(destination, bytes, at_mark && is_inet(destination) ? MSG_OOB : 0);
  return bytes.size();
}

// Returns the number of bytes read from the source.
std::size_t tcp_direction::move_some(int source, int destination, pipe_pool& pipes, bool source_ends) {
  if (urgent_) return copy_to_mark(source, destination);
  if (bulk_ && !pipe_) pipe_ = pipes.borrow();
  const auto got = bulk_ && pipe_ ? splice_in(source, *pipe_) : copy(source, destination, source_ends);
  bulk_ = got >= little;
  return got;
}

void tcp_direction::send_unsent(int destination) {
  const auto sent = ::send(destination, unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL | unsent_flags_);
  if (sent > 0) unsent_.erase(unsent_.begin(), unsent_.begin() + sent);
  if (unsent_.empty()) {
    unsent_.shrink_to_fit();
    unsent_flags_ = 0;
  }
  if (sent < 0 && !would_block()) state_ = state::broken;
}

// True if nothing is left to send. The empty pipe returns to the pool.
bool tcp_direction::drain(int destination, pipe_pool& pipes) {
  if (!unsent_.empty()) send_unsent(destination);
  while (pipe_ && in_pipe_ > 0) {
    const auto put = ::splice(pipe_->read.get(), nullptr, destination, nullptr, in_pipe_, flags);
    if (put <= 0) {
      if (put < 0 && !would_block()) state_ = state::broken;
      return false;
    }
    in_pipe_ -= static_cast<std::size_t>(put);
  }
  if (backlog()) return false;
  if (pipe_ && state_ != state::broken) pipes.give_back(std::move(*pipe_));
  pipe_.reset();
  return true;
}

tcp_direction::moved tcp_direction::pump(int source, int destination, pipe_pool& pipes, bool source_ends) {
  if (state_ == state::finished || state_ == state::broken) return {};
  const auto left_before = backlog_bytes();
  std::size_t read = 0;
  bool more = drain(destination, pipes);
  for (int i = 0; i < rounds && more && state_ == state::open; ++i) {
    const auto got = move_some(source, destination, pipes, source_ends);
    read += got;
    more = drain(destination, pipes) && got > 0 && (source_ends || bulk_ || urgent_);
  }
  if (state_ == state::draining && !backlog()) state_ = state::finished;
  return {.read = read, .written = left_before + read - backlog_bytes()};
}

}  // namespace relay
