// socket_presence: a peer at a UNIX socket. A socket that was bound anew is another peer; it is looked at and not
// knocked at, since the Go wsl-proxy logs an error for every connection without a message.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "os/file_watch.hpp"
#include "sinks/port_mapping/presence.hpp"

namespace port_mapping_peer {

struct socket_presence_options {
  std::filesystem::path path;
  std::chrono::milliseconds deadline{5'000};  // for knocking, after a message has failed
  std::chrono::milliseconds resync{30'000};   // how often to look at the socket unprompted
};

class socket_presence final : public presence {
 public:
  socket_presence(const async::executor& where, socket_presence_options options);

  async::task<base::result<std::string>> look() override;
  async::task<> changed() override;
  void doubt() override;
  // Always: a reset means no more than that the peer did not read the newline.
  async::task<bool> stands(bool refused) override;
  [[nodiscard]] bool announces_return() const override { return true; }
  [[nodiscard]] const connect_addresses& addresses() const override { return none_; }

 private:
  [[nodiscard]] base::result<std::string> identity() const;

  socket_presence_options options_;
  std::optional<os::file_watch> watch_;
  std::string seen_;     // the identity that the last look() answered; empty: an error
  std::string doubted_;  // the identity at which the last message failed; empty: none did
  connect_addresses none_;
};

}  // namespace port_mapping_peer
