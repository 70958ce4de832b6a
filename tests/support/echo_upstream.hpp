// echo_upstream: stands for a published server in the namespace, for one port. Answers each TCP connection and each
// datagram with its own address and the received bytes.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"

namespace support {

class echo_upstream {
 public:
  explicit echo_upstream(const net::endpoint& at)
      : name_(net::to_string(at)), tcp_(open(at, SOCK_STREAM)), udp_(open(at, SOCK_DGRAM)) {
    if (::listen(tcp_.get(), 64) != 0) throw std::runtime_error("listen " + name_);
    thread_ = std::jthread([this](std::stop_token stopped) { serve(stopped); });
  }
  [[nodiscard]] std::string answer_to(const std::string& request) const { return name_ + " " + request; }

 private:
  static base::unique_fd open(const net::endpoint& at, int type) {
    const auto where = net::to_sockaddr(at);
    base::unique_fd fd(::socket(where.storage.ss_family, type | SOCK_CLOEXEC, 0));
    const int one = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (::bind(fd.get(), where.get(), where.size) != 0) throw std::runtime_error("bind " + net::to_string(at));
    return fd;
  }
  void serve(std::stop_token stopped) const {
    while (!stopped.stop_requested()) {
      std::array<pollfd, 2> both{{{tcp_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}}};
      ::poll(both.data(), both.size(), 10);
      if (both[0].revents != 0) answer_connection();
      if (both[1].revents != 0) answer_datagram();
    }
  }
  void answer_connection() const {
    const base::unique_fd client(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 1'000> got{};
    const auto size = ::recv(client.get(), got.data(), got.size(), 0);
    const auto answer = answer_to({got.data(), static_cast<std::size_t>(size > 0 ? size : 0)});
    ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  }
  void answer_datagram() const {
    std::array<char, 1'000> got{};
    net::socket_address from;
    const auto size = ::recvfrom(udp_.get(), got.data(), got.size(), 0, from.get(), &from.size);
    const auto answer = answer_to({got.data(), static_cast<std::size_t>(size > 0 ? size : 0)});
    ::sendto(udp_.get(), answer.data(), answer.size(), 0, from.get(), from.size);
  }

  std::string name_;
  base::unique_fd tcp_;
  base::unique_fd udp_;
  std::jthread thread_;
};

// The answer to `request`; empty without one within a second.
inline std::string ask(net::protocol protocol, const net::endpoint& to, const std::string& request) {
  const auto where = net::to_sockaddr(to);
  const bool tcp = protocol == net::protocol::tcp;
  const base::unique_fd fd(::socket(where.storage.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  const timeval second{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  if (::connect(fd.get(), where.get(), where.size) != 0) return {};
  ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  std::array<char, 1'000> got{};
  const auto size = ::recv(fd.get(), got.data(), got.size(), tcp ? MSG_WAITALL : 0);
  return {got.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
}

}  // namespace support
