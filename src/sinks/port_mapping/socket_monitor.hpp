// socket_monitor: a peer at a UNIX socket. A socket that was bound again is another peer. The monitor checks the file
// and does not connect, as the Go wsl-proxy logs an error for every connection without a message.
#pragma once

#include <chrono>
#include <filesystem>

#include "os/file_watch.hpp"
#include "sinks/port_mapping/peer_monitor.hpp"

namespace port_mapping_peer {

struct socket_monitor_options {
  std::filesystem::path path;
  std::chrono::milliseconds deadline{5'000};  // for connecting, after a message has failed
  std::chrono::milliseconds resync{30'000};   // how often to check the socket without an event
};

class socket_monitor final : public peer_monitor {
 public:
  socket_monitor(const async::executor& where, socket_monitor_options options);

  async::task<base::result<std::string>> check() override;
  async::task<> changed() override;
  void suspect() override;
  // Always true: a reset only means that the peer did not read the newline.
  async::task<bool> is_alive(bool refused) override;
  [[nodiscard]] bool announces_return() const override { return true; }
  [[nodiscard]] const connect_addresses& addresses() const override { return none_; }

 private:
  [[nodiscard]] base::result<std::string> identity() const;

  socket_monitor_options options_;
  os::file_watch watch_;
  std::string seen_;       // the identity at the last check(); empty: an error
  std::string suspected_;  // the identity at which the last message failed; empty: none did
  connect_addresses none_;
};

}  // namespace port_mapping_peer
