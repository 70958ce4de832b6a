#include "translator/tcp_flow.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#include "net/endpoint.hpp"
#include "netstack/bytes.hpp"
#include "os/connect.hpp"
#include "relay/sockets.hpp"
#include "translator/tcp_flows.hpp"

namespace translator {
namespace {

constexpr std::size_t most_slices = 256;  // of one sendmsg
// Bytes read from one socket, so that others have their turn, and the next program on the way begins early.
constexpr std::size_t most_a_turn = std::size_t{256} << 10U;

using slices = std::span<const netstack::bytes_view>;

iovec as_iovec(netstack::bytes_view bytes) { return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}; }

ssize_t send_slices(int fd, slices from) {
  std::array<iovec, most_slices> vectors;
  const auto count = std::min(from.size(), vectors.size());
  std::ranges::transform(from.first(count), vectors.begin(), as_iovec);
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t read_into(int fd, const std::array<netstack::bytes_span, 2>& room) {
  const std::array<iovec, 2> vectors{as_iovec(room[0]), as_iovec(room[1])};
  ssize_t got = -1;
  do {
    got = ::readv(fd, vectors.data(), room[1].empty() ? 1 : 2);
  } while (got < 0 && errno == EINTR);
  return got;
}

std::array<netstack::bytes_span, 2> first_of(std::array<netstack::bytes_span, 2> room, std::size_t most) {
  room[0] = room[0].first(std::min(room[0].size(), most));
  room[1] = room[1].first(std::min(room[1].size(), most - room[0].size()));
  return room;
}

std::size_t size_of(slices all) {
  std::size_t size = 0;
  for (const auto& one : all) size += one.size();
  return size;
}

}  // namespace

bool tcp_flow::watch() {
  return owner_.common().loop.watch(fd_.get(), *this, 0, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

void tcp_flow::on_event(unsigned /*which*/, std::uint32_t events) {
  if (state_ == state::over) return;
  hung_up_ = hung_up_ || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (state_ == state::connecting) return on_connected();
  if (state_ == state::opening) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) abort();  // its client left before the VM answered
    return;
  }
  if ((events & EPOLLOUT) != 0) push();
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) pull();
  if ((events & EPOLLERR) != 0 && is_relaying() && socket_ended_ && relay::pending_error(fd_.get()) != 0) abort();
}

// epoll reports a socket that is neither connected nor connecting as hung up: only an error or a peer counts.
void tcp_flow::on_connected() {
  if (const int error = relay::pending_error(fd_.get()); error != 0) return owner_.connect_failed(*this, error);
  net::socket_address peer;
  if (::getpeername(fd_.get(), peer.get(), &peer.size) != 0) return;
  if (os::reset_if_self_connected(fd_.get())) return owner_.connect_failed(*this, ECONNREFUSED);
  owner_.connected(*this);
}

void tcp_flow::relay() {
  state_ = state::relaying;
  push();
  if (is_relaying()) pull(until::nothing_is_left);  // an edge may have occurred earlier
}

void tcp_flow::push() {
  auto& stack = owner_.common().stack;
  while (is_relaying()) {
    const auto waiting = stack.arrived(id_);
    if (waiting.empty()) return;
    const auto size = size_of(waiting);
    const auto sent = broken_ ? static_cast<ssize_t>(size) : send_slices(fd_.get(), waiting);
    if (sent < 0) {
      if (errno == EAGAIN) return;
      if (errno == ENOBUFS || errno == ENOMEM)
        return owner_.push_later(*this);  // the socket has room, so no edge follows
      if (errno != EINTR) on_broken();
      continue;
    }
    if (auto* const port = ticket.traffic()) port->send(static_cast<std::uint64_t>(sent));
    stack.consumed(id_, static_cast<std::size_t>(sent), owner_.common().now());
  }
}

void tcp_flow::pull(until when) {
  auto& stack = owner_.common().stack;
  std::size_t taken = 0;
  while (is_relaying() && !socket_ended_) {
    const auto room = first_of(stack.send_room(id_), most_a_turn);
    const auto size = room[0].size() + room[1].size();
    if (size == 0) return;  // action::writable continues
    if (taken >= most_a_turn) return owner_.pull_again(*this);
    const auto got = read_into(fd_.get(), room);
    if (got <= 0) return on_nothing_read(got);
    if (auto* const port = ticket.traffic()) port->receive(static_cast<std::uint64_t>(got));
    stack.written(id_, static_cast<std::size_t>(got), owner_.common().now());
    taken += static_cast<std::size_t>(got);
    if (static_cast<std::size_t>(got) < size && !hung_up_ && when == until::short_read) return;
  }
}

// A result of readv() other than bytes: the end, nothing at the moment, or a broken connection.
void tcp_flow::on_nothing_read(ssize_t got) {
  const int error = got < 0 ? errno : 0;
  owner_.common().stack.written(id_, 0, owner_.common().now());  // returns the unused room
  if (got == 0)
    on_socket_end();
  else if (error != EAGAIN)
    abort();
}

void tcp_flow::on_socket_end() {
  if (broken_) return abort();
  socket_ended_ = true;
  owner_.common().stack.finish(id_, owner_.common().now());
}

// The kernel reports an error once, to the write. Bytes from before the reset can still be read.
void tcp_flow::on_broken() {
  broken_ = true;
  hung_up_ = true;
  if (socket_ended_) return abort();
  pull();
}

void tcp_flow::finish() {
  if (is_relaying()) ::shutdown(fd_.get(), SHUT_WR);
}

// The VM receives the bytes that were read before the reset.
void tcp_flow::abort() {
  auto& stack = owner_.common().stack;
  if (state_ == state::relaying)
    stack.finish_with_reset(id_, owner_.common().now());
  else
    stack.abort(id_, owner_.common().now());
  owner_.end(*this, true);
}

void tcp_flow::close(bool reset) {
  state_ = state::over;
  owner_.common().loop.unwatch(fd_.get());
  if (reset) relay::reset_on_close(fd_.get());
  fd_.reset();
}

}  // namespace translator
