// raw_server: a server that answers every connection with bytes that the test chooses, in a thread. They need not be
// HTTP, and it need not answer at all.
#pragma once

#include <poll.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "tests/support/loopback_socket.hpp"
#include "tests/support/socket_peer.hpp"

namespace support {

class raw_server {
 public:
  struct behaviour {
    std::string answer;
    bool hangs = false;     // keeps the connection open afterwards, and is silent
    bool reads = true;      // the head of a request first
    int pause_at = -1;      // stops after so many bytes
    unsigned refusals = 0;  // connections that it closes at once, before it serves one
  };

  explicit raw_server(behaviour how)
      : how_(std::move(how)),
        listener_(listen_on_loopback()),
        thread_([this](const std::stop_token& s) { serve(s); }) {}

  [[nodiscard]] std::uint16_t port() const { return listener_.port; }
  [[nodiscard]] unsigned connections() const { return connections_; }

 private:
  static bool readable(int fd) {
    pollfd ready{fd, POLLIN, 0};
    return ::poll(&ready, 1, 20) > 0;
  }
  void answer(const std::stop_token& stopped, int fd) {
    std::string head;
    while (how_.reads && !head.contains("\r\n\r\n") && !stopped.stop_requested()) {
      char bytes[4096];
      const auto got = readable(fd) ? ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) : -1;
      if (got == 0) return;
      if (got > 0) head.append(bytes, static_cast<std::size_t>(got));
    }
    const auto count = how_.pause_at < 0 ? how_.answer.size() : static_cast<std::size_t>(how_.pause_at);
    ::send(fd, how_.answer.data(), count, MSG_NOSIGNAL);
    char byte = 0;
    while ((how_.hangs || how_.pause_at >= 0) && !stopped.stop_requested())
      if (readable(fd) && ::recv(fd, &byte, 1, MSG_DONTWAIT) == 0) return;
  }
  void serve(const std::stop_token& stopped) {
    while (!stopped.stop_requested()) {
      if (!readable(listener_.fd.get())) continue;
      const base::unique_fd fd(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) continue;
      if (++connections_ <= how_.refusals) continue;
      set_deadline(fd.get(), 5);
      answer(stopped, fd.get());
    }
  }

  behaviour how_;
  listening_socket listener_;
  std::atomic<unsigned> connections_ = 0;
  std::jthread thread_;
};

}  // namespace support
