// fake_tunnel: vtunnel's TCP end with the privileged service at its other end, on a real socket, in a thread of its
// own. Keeps silent connections open, records the PortMapping message of every other one and closes it. It can lead
// nowhere: then it accepts and resets, like a tunnel without its far end. It can get stuck: then it accepts
// and passes nothing on for some time.
#pragma once

#include <poll.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "protocols/port_mapping/message_codec.hpp"
#include "tests/support/loopback_socket.hpp"

namespace support {

class fake_tunnel {
 public:
  fake_tunnel()
      : listener_(listen_on_loopback()), thread_([this](const std::stop_token& stopped) { serve(stopped); }) {}

  [[nodiscard]] net::endpoint at() const { return {net::address::loopback_v4(), listener_.port}; }
  // From now on it leads nowhere, or to the service again; all connections break.
  void lead_nowhere(bool nowhere) {
    nowhere_ = nowhere;
    break_all_ = true;
    while (break_all_) std::this_thread::yield();
  }
  // New connections are read only after this delay.
  void read_after(std::chrono::milliseconds delay) { delay_ = delay; }
  // A receiver that reads each message and keeps its connection open.
  void never_close() { never_closes_ = true; }
  // As after a restart of the privileged service.
  void break_all() { lead_nowhere(nowhere_); }

  [[nodiscard]] std::vector<port_mapping::message> received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }
  [[nodiscard]] std::size_t standing() const { return standing_; }

 private:
  struct connection_text {
    base::unique_fd fd;
    std::string text;
    std::chrono::steady_clock::time_point read_from;
    bool recorded = false;
  };
  static void reset(base::unique_fd& fd) {
    const linger now{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd.reset();
  }
  void accept_all() {
    while (true) {
      base::unique_fd fd(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) return;
      if (nowhere_) {
        reset(fd);
        continue;
      }
      const int number = fd.get();
      connections_[number] = {std::move(fd), {}, std::chrono::steady_clock::now() + delay_.load(), false};
    }
  }
  // False: it has ended.
  bool read(connection_text& c) {
    if (c.recorded || std::chrono::steady_clock::now() < c.read_from) return true;
    char bytes[65536];
    const auto got = ::recv(c.fd.get(), bytes, sizeof bytes, 0);
    if (got > 0) c.text.append(bytes, static_cast<std::size_t>(got));
    if (got > 0 || (got < 0 && errno == EAGAIN)) return true;
    const auto document = port_mapping::decode(c.text);
    const std::lock_guard lock(mutex_);
    if (document) received_.push_back(document->accepted);
    c.recorded = true;
    return never_closes_;
  }
  void serve(const std::stop_token& stopped) {
    while (!stopped.stop_requested()) {
      pollfd ready{listener_.fd.get(), POLLIN, 0};
      ::poll(&ready, 1, 2);
      accept_all();
      for (auto at = connections_.begin(); at != connections_.end();)
        at = read(at->second) ? std::next(at) : connections_.erase(at);
      if (break_all_) {
        for (auto& [number, c] : connections_) reset(c.fd);
        connections_.clear();
        break_all_ = false;
      }
      standing_ = connections_.size();
    }
  }

  listening_socket listener_;
  std::map<int, connection_text> connections_;
  mutable std::mutex mutex_;
  std::vector<port_mapping::message> received_;
  std::atomic<bool> nowhere_ = false, break_all_ = false, never_closes_ = false;
  std::atomic<std::size_t> standing_ = 0;
  std::atomic<std::chrono::milliseconds> delay_{};
  std::jthread thread_;
};

}  // namespace support
