// datagram_server: a UDP server of a test, on a thread of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <thread>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "tests/support/netns.hpp"

namespace integration {

class datagram_server {
 public:
  // Gets each datagram and sends what it likes.
  using reply = std::function<void(int fd, const std::string& datagram, const net::socket_address& from)>;

  datagram_server(const support::netns& where, const net::endpoint& at, reply answer);
  ~datagram_server();
  datagram_server(const datagram_server&) = delete;
  datagram_server& operator=(const datagram_server&) = delete;

  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }

 private:
  void run();

  base::unique_fd fd_;
  reply answer_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

// Sends the datagram back.
void echo(int fd, const std::string& datagram, const net::socket_address& from);

}  // namespace integration
