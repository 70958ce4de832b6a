#include "relay/tcp_connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstdint>
#include <utility>

#include "base/unique_fd.hpp"
#include "os/connect.hpp"
#include "relay/port_share.hpp"
#include "relay/sockets.hpp"
#include "relay/stream_target.hpp"
#include "relay/tcp_relay.hpp"

namespace relay {

tcp_connection::tcp_connection(tcp_relay& owner, base::unique_fd client, base::unique_fd target, tunnel_side tunnel,
                               connection_ticket ticket)
    : owner_(owner), since_(owner.loop_.now()), ticket_(std::move(ticket)) {
  sides_[0].tunnel = tunnel == tunnel_side::client;
  sides_[1].tunnel = tunnel == tunnel_side::target;
  sides_[0].fd = std::move(client);
  sides_[1].fd = std::move(target);
  for (auto& s : sides_) s.inet = is_inet(s.fd.get());
}

void tcp_connection::start() {
  state_ = state::relaying;
  settle();
}

void tcp_connection::await_target() {
  if (!arm(1, EPOLLOUT)) reset();
}

void tcp_connection::on_event(unsigned which, std::uint32_t events) {
  if (state_ == state::over) return;  // a later event of the same batch
  if (state_ == state::connecting) return connected();
  if ((events & EPOLLERR) != 0) return failed(which);
  if ((events & EPOLLHUP) != 0) sides_[which].hung_up = true;
  if ((events & EPOLLPRI) != 0) sides_[which].out.urgent_ahead();
  if ((events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP)) != 0)
    pump(which, (events & (EPOLLRDHUP | EPOLLHUP)) != 0);
  if (state_ != state::over && (events & EPOLLOUT) != 0) pump(1 - which, false);
  if (state_ != state::over) settle();
}

void tcp_connection::reset() {
  for (auto& s : sides_) reset_on_close(s.fd.get());
  finish();
}

void tcp_connection::connected() {
  const int target = sides_[1].fd.get();
  if (pending_error(target) != 0 || os::reset_if_self_connected(target)) return owner_.unreachable(*this);
  owner_.answered(*this);
  start();
}

// Bytes that arrived before the reset still go to the other side, as far as it has room.
void tcp_connection::failed(unsigned which) {
  pump(which, true);
  if (state_ != state::over) reset();
}

void tcp_connection::pump(unsigned from, bool source_ends) {
  using enum tcp_direction::state;
  auto& out = sides_[from].out;
  if (out.now() == finished) return;
  const int destination = sides_[1 - from].fd.get();
  count(from, out.pump(sides_[from].fd.get(), destination, owner_.pipes_, source_ends));
  if (out.now() == broken || was_reset(from)) return reset();
  // After the second direction the sockets are closed anyway.
  if (out.now() == finished && !ended(1 - from)) ::shutdown(destination, SHUT_WR);
}

// What the client has sent, and what it has been given.
void tcp_connection::count(unsigned from, const tcp_direction::moved& bytes) {
  auto* const port = ticket_.traffic();
  if (port == nullptr) return;
  if (from == 0 && bytes.read > 0) port->receive(bytes.read);
  if (from == 1 && bytes.written > 0) port->send(bytes.written);
}

// A tunnel was closed while a direction toward it is open.
bool tcp_connection::was_reset(unsigned from) const {
  const auto& s = sides_[from];
  const bool at_end = s.out.now() == tcp_direction::state::draining || s.out.now() == tcp_direction::state::finished;
  return s.tunnel && at_end && !ended(1 - from) && is_abandoned(s.fd.get());
}

// Sets the events to wait for, or ends the connection.
void tcp_connection::settle() {
  if (ended(0) && ended(1)) return finish();
  for (unsigned i = 0; i < 2; ++i) {
    const auto& in = sides_[1 - i].out;  // what is written to this socket
    const std::uint32_t reading = EPOLLIN | EPOLLRDHUP | (sides_[i].inet ? EPOLLPRI : 0U);
    const std::uint32_t events = (sides_[i].out.wants_read() ? reading : 0U) | (in.wants_write() ? EPOLLOUT : 0U);
    if (!arm(i, events)) return reset();
  }
}

// A socket to which nothing more is written may report EPOLLHUP for ever, which cannot be masked. While it is not read
// either, epoll forgets it.
bool tcp_connection::arm(unsigned i, std::uint32_t events) {
  auto& s = sides_[i];
  const bool can_tell = !ended(1 - i) && !s.hung_up;
  const bool wanted = s.hung_up ? (events & EPOLLIN) != 0 : events != 0 || can_tell;
  if (wanted && !s.watched) {
    if (!owner_.loop_.watch(s.fd.get(), *this, i, events)) return false;
  } else if (wanted && events != s.events) {
    owner_.loop_.change(s.fd.get(), *this, i, events);
  } else if (!wanted && s.watched) {
    owner_.loop_.unwatch(s.fd.get());
  }
  s.watched = wanted;
  s.events = events;
  return true;
}

void tcp_connection::finish() {
  const bool was_connecting = state_ == state::connecting;
  state_ = state::over;
  for (auto& s : sides_) {
    if (s.watched) owner_.loop_.unwatch(s.fd.get());
    s.fd.reset();
  }
  ticket_ = {};
  owner_.ended(*this, was_connecting);
}

}  // namespace relay
