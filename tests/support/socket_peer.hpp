// Blocking sockets for tests of relays, each with a deadline of its own, so that a test that would hang fails instead.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"

namespace support {

inline void set_deadline(int fd, int seconds = 10) {
  const timeval limit{seconds, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

// True as soon as `holds` does, checked every few milliseconds for ten seconds.
inline bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

// Whether the peer has reset the connection of connected_socket(); waits for it, for ten seconds at most. A busy
// loopback interface drops packets, and a reset is sent only once. The next segment that arrives there is answered with
// another, so one is sent after each half second without any. ENOTCONN: the reset came before connect() had returned.
inline bool is_reset(const base::unique_fd& fd) {
  if (!fd) throw std::logic_error("is_reset: no socket");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  char byte = 0;
  while (std::chrono::steady_clock::now() < deadline) {
    if (::recv(fd.get(), &byte, 1, MSG_DONTWAIT) >= 0) return false;
    if (errno != EAGAIN) return errno == ECONNRESET || errno == ENOTCONN;
    pollfd change{fd.get(), POLLIN, 0};
    const bool silent = ::poll(&change, 1, 500) == 0;
    if (silent && ::send(fd.get(), "?", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ECONNRESET) return true;
  }
  return false;
}

inline net::endpoint local_endpoint(int fd) {
  net::socket_address at;
  ::getsockname(fd, at.get(), &at.size);
  return net::from_sockaddr(at).value();
}

inline base::unique_fd make_socket(int type, const net::address& ip) {
  base::unique_fd fd(::socket(ip.is_v6() ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0));
  if (!fd) throw std::system_error(errno, std::system_category(), "socket");
  set_deadline(fd.get());
  return fd;
}

inline base::unique_fd bound_socket(int type, const net::endpoint& at) {
  auto fd = make_socket(type, at.ip);
  const auto address = net::to_sockaddr(at);
  if (::bind(fd.get(), address.get(), address.size) != 0)
    throw std::system_error(errno, std::system_category(), "bind");
  if (type == SOCK_STREAM) ::listen(fd.get(), 1024);
  return fd;
}

// A port that was free a moment ago.
inline std::uint16_t free_port(int type = SOCK_STREAM) {
  return local_endpoint(bound_socket(type, {net::address::loopback_v4(), 0}).get()).port;
}

// Not connected if the peer accepted the connection and reset it before connect() returned, which happens on a busy
// machine: see is_reset().
inline base::unique_fd connected_socket(int type, const net::endpoint& to,
                                        std::optional<net::address> from = std::nullopt) {
  auto fd = make_socket(type, to.ip);
  if (from) {
    const auto own = net::to_sockaddr({*from, 0});
    if (::bind(fd.get(), own.get(), own.size) != 0) throw std::system_error(errno, std::system_category(), "bind");
  }
  const auto address = net::to_sockaddr(to);
  if (::connect(fd.get(), address.get(), address.size) != 0 && errno != ECONNRESET)
    throw std::system_error(errno, std::system_category(), "connect " + net::to_string(to));
  return fd;
}

inline base::unique_fd accept_one(int listener) {
  base::unique_fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd) throw std::system_error(errno, std::system_category(), "accept");
  set_deadline(fd.get());
  return fd;
}

inline void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) throw std::system_error(errno, std::system_category(), "send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// Reads until the end of file; a reset throws system_error(ECONNRESET).
inline std::string read_all(int fd) {
  std::string all;
  std::string buffer(65536, '\0');
  while (true) {
    const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0) throw std::system_error(errno, std::system_category(), "recv");
    if (got == 0) return all;
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

inline std::string read_exactly(int fd, std::size_t count) {
  std::string all(count, '\0');
  for (std::size_t at = 0; at < count;) {
    const auto got = ::recv(fd, all.data() + at, count - at, 0);
    if (got <= 0) throw std::system_error(got == 0 ? EPIPE : errno, std::system_category(), "recv");
    at += static_cast<std::size_t>(got);
  }
  return all;
}

}  // namespace support
