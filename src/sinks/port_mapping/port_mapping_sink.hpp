// port_mapping_sink: a peer that is told by PortMapping messages and never answers: wsl-proxy at its UNIX socket, or
// the privileged service behind vtunnel's TCP end. Owned by its reconciler's owner; used from the control thread only.
//
// The peer cannot be asked what it holds, so a restart is noticed by its socket: a socket that was bound anew is
// another identity, and the reconciler then sends everything again. A message counts as applied once the peer's kernel
// has it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/file_watch.hpp"
#include "portmapping/message.hpp"
#include "ports/sink.hpp"
#include "sinks/port_mapping/message_sender.hpp"

namespace port_mapping {

struct port_mapping_options {
  std::string name = "wsl-proxy";
  peer_address peer = std::filesystem::path("/run/wsl-proxy.sock");
  std::vector<portmapping::connect_address> connect_addresses;  // sent along with every message; wsl-proxy gets none
  std::chrono::milliseconds deadline{5'000};                    // for each message
  std::chrono::milliseconds resync{30'000};                     // how often to look at the socket unprompted
};

class port_mapping_sink : public ports::sink {
 public:
  port_mapping_sink(io::executor where, port_mapping_options options);

  [[nodiscard]] std::string_view name() const override { return options_.name; }
  [[nodiscard]] ports::sink_traits traits() const override;

  // Never complete. An error while there is no socket, or while nobody accepts on it after a message failed.
  io::task<base::result<ports::peer_state>> list() override;
  // Removals as one message, then additions as one (more only beyond 4,096 bindings); after a failure nothing further
  // is sent, so that the messages about one port keep their order.
  io::task<std::vector<ports::outcome>> apply(std::vector<ports::operation> batch) override;
  io::task<> changed() override;
  io::task<> close() override;

 private:
  [[nodiscard]] bool is_unix() const { return std::holds_alternative<std::filesystem::path>(options_.peer); }
  [[nodiscard]] base::result<std::string> identity() const;
  io::task<base::result<>> send_all(const std::vector<ports::operation>& batch, ports::verb what,
                                    std::vector<ports::outcome>& outcomes);

  io::executor where_;
  port_mapping_options options_;
  std::optional<io::file_watch> watch_;
  std::string listed_;       // the identity that the last list() answered; empty: an error
  std::string doubted_;      // the identity at which the last message failed; empty: none did
  unsigned recoveries_ = 0;  // a TCP peer's only sign of a restart: it was away in between
};

}  // namespace port_mapping
