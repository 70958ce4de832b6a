#include "relay/tcp_direction.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace relay {
namespace {

constexpr std::size_t most_at_once = 512 << 10;
constexpr std::size_t little = 64 << 10;  // less than this was all that there was
constexpr int rounds = 2;
constexpr unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

// Answers how much it took.
std::size_t tcp_direction::fill(int source) {
  const auto got = ::splice(source, nullptr, pipe_->write.get(), nullptr, most_at_once, flags);
  if (got == 0) state_ = state::draining;
  if (got < 0 && !would_block()) state_ = state::broken;
  if (got <= 0) return 0;
  in_pipe_ += static_cast<std::size_t>(got);
  return static_cast<std::size_t>(got);
}

// True if the pipe is empty now.
bool tcp_direction::drain(int destination) {
  while (in_pipe_ > 0) {
    const auto put = ::splice(pipe_->read.get(), nullptr, destination, nullptr, in_pipe_, flags);
    if (put > 0) {
      in_pipe_ -= static_cast<std::size_t>(put);
      continue;
    }
    if (put < 0 && !would_block()) state_ = state::broken;
    return false;
  }
  return true;
}

// Looks at the bytes, sends them, and takes from the source only what was sent: nothing has to be kept in between. Only
// TCP could throw them away unread.
void tcp_direction::copy(int source, int destination) {
  std::array<char, 16384> buffer;
  const auto seen = ::recv(source, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  left_at_source_ = false;
  if (seen == 0) state_ = state::finished;
  if (seen < 0 && !would_block()) state_ = state::broken;
  if (seen <= 0) return;
  const auto sent = ::send(destination, buffer.data(), static_cast<std::size_t>(seen), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && !would_block())
    state_ = state::broken;
  else if (sent > 0 && ::recv(source, buffer.data(), static_cast<std::size_t>(sent), MSG_DONTWAIT) != sent)
    state_ = state::broken;
  left_at_source_ = sent < seen;
}

void tcp_direction::pump(int source, int destination, pipe_pool& pipes, bool source_ends) {
  if (state_ == state::finished || state_ == state::broken) return;
  if (!pipe_) pipe_ = pipes.borrow();
  if (!pipe_) return copy(source, destination);
  left_at_source_ = false;
  bool more = drain(destination);
  for (int i = 0; i < rounds && more && state_ == state::open; ++i) {
    const auto got = fill(source);
    more = got > 0 && drain(destination) && (source_ends || got >= little);
  }
  if (in_pipe_ > 0) return;
  if (state_ == state::draining) state_ = state::finished;
  // The pipe is clean. A broken direction's may not be: it goes with the connection.
  if (state_ != state::broken) pipes.give_back(std::move(*pipe_));
  pipe_.reset();
}

}  // namespace relay
