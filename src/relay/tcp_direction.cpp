#include "relay/tcp_direction.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace relay {
namespace {

constexpr std::size_t most_at_once = 512 << 10;
constexpr int rounds = 2;
constexpr unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

// True if there is something to write now.
bool tcp_direction::fill(int source) {
  const auto got = ::splice(source, nullptr, pipe_->write.get(), nullptr, most_at_once, flags);
  if (got > 0) in_pipe_ += static_cast<std::size_t>(got);
  else if (got == 0) state_ = state::draining;
  else if (!would_block()) state_ = state::broken;
  return in_pipe_ > 0;
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

void tcp_direction::end(int destination) {
  ::shutdown(destination, SHUT_WR);
  state_ = state::finished;
}

// Looks at the bytes, sends them, and takes from the source only what was sent: nothing has to be kept in between.
void tcp_direction::copy(int source, int destination) {
  std::array<char, 16384> buffer;
  const auto seen = ::recv(source, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  left_at_source_ = false;
  if (seen == 0) return end(destination);
  if (seen < 0) {
    if (!would_block()) state_ = state::broken;
    return;
  }
  const auto sent = ::send(destination, buffer.data(), static_cast<std::size_t>(seen), MSG_DONTWAIT | MSG_NOSIGNAL);
  const bool refused = sent < 0 && !would_block();
  const bool lost = sent > 0 && ::recv(source, nullptr, static_cast<std::size_t>(sent), MSG_TRUNC | MSG_DONTWAIT) != sent;
  if (refused || lost) state_ = state::broken;
  left_at_source_ = sent < seen;
}

tcp_direction::state tcp_direction::pump(int source, int destination, pipe_pool& pipes) {
  if (state_ == state::finished || state_ == state::broken) return state_;
  if (!pipe_) pipe_ = pipes.borrow();
  if (!pipe_) {
    copy(source, destination);
    return state_;
  }
  left_at_source_ = false;
  bool more = drain(destination);
  for (int i = 0; i < rounds && more && state_ == state::open; ++i) more = fill(source) && drain(destination);
  if (in_pipe_ > 0) return state_;
  if (state_ == state::draining) end(destination);
  // The pipe is clean. A broken direction's may not be: it goes with the connection.
  if (state_ != state::broken) pipes.give_back(std::move(*pipe_));
  pipe_.reset();
  return state_;
}

}  // namespace relay
