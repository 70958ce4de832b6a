// fake_wsl_proxy: a PortMapping receiver on a real UNIX socket, in a thread of its own. Records the messages in the
// order of reading, one connection after the other, and listens nowhere else.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "base/unique_fd.hpp"
#include "protocols/port_mapping/message.hpp"

namespace support {

class fake_wsl_proxy {
 public:
  using held_port = std::pair<net::protocol, net::endpoint>;
  using messages = std::vector<port_mapping::message>;

  // Not started yet: see start().
  explicit fake_wsl_proxy(std::filesystem::path socket) : path_(std::move(socket)) {}
  ~fake_wsl_proxy() { stop(); }

  // A new socket at the path, replacing any file. Recorded messages stay; held() starts empty.
  void start();
  void start_hanging();                             // listens, but does not accept
  void wake();                                      // a hanging one begins to serve
  void start_slow(std::chrono::milliseconds each);  // waits that long before it reads a connection
  void stop();                                      // gone, its socket removed
  void crash();                                     // gone, its socket left behind: connecting is refused

  [[nodiscard]] messages received() const;
  // What a wsl-proxy would listen on after the messages since the last start.
  [[nodiscard]] std::set<held_port> held() const;
  [[nodiscard]] std::size_t bad_connections() const;  // without a message, or with an invalid one

  // True as soon as the predicate, called with the lock held, is; false at the deadline.
  bool wait_for_messages(const std::function<bool(const messages&)>& enough,
                         std::chrono::milliseconds limit = std::chrono::seconds(10));
  bool wait_until_held(const std::set<held_port>& wanted, std::chrono::milliseconds limit = std::chrono::seconds(10));

 private:
  void listen_anew(int backlog);
  void serve(std::stop_token stopped, std::chrono::milliseconds delay);
  void read_one(std::stop_token stopped, int connection);
  void record(const port_mapping::message& m);
  void end_thread();

  std::filesystem::path path_;
  base::unique_fd listener_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  messages received_;
  std::set<held_port> held_;
  std::size_t bad_ = 0;
  std::jthread thread_;
};

}  // namespace support
