// port_mapping_sink: sends PortMapping messages to a peer that never answers: wsl-proxy at its UNIX socket, or
// privileged-service behind vtunnel's TCP end. Owned by its reconciler. Control thread only.
//
// The peer cannot list what it holds. peer_monitor notices that it restarted, and the reconciler then sends everything
// again. Behind a tunnel it does so every minute as well, as more can go wrong there unseen.
//
// A message counts as applied once the peer's kernel has it. Behind a tunnel it counts once the far end has closed its
// connection, if the tunnel is still up then. A message that is stuck there may arrive after later ones, so everything
// is sent once more a little later. A receiver that has never closed a connection is not expected to: the protocol has
// no answers, and a completely written message counts as delivered.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ports/sink.hpp"
#include "protocols/port_mapping/message.hpp"
#include "sinks/port_mapping/address_book.hpp"
#include "sinks/port_mapping/message_sender.hpp"
#include "sinks/port_mapping/peer_monitor.hpp"

namespace port_mapping_peer {

struct port_mapping_options {
  std::string name = "wsl-proxy";
  net::stream_address peer = net::unix_path{"/run/wsl-proxy.sock"};  // or a TCP endpoint: a tunnel
  std::string interface{};                    // for a TCP peer: the interface whose addresses it is sent
  std::filesystem::path address_file{};       // for a TCP peer: the address_book; empty: none
  std::chrono::milliseconds deadline{5'000};  // for each message, and again for a tunnel's receiver to read it
  std::chrono::milliseconds patience{1'000};  // instead, if a tunnel's receiver has not closed a connection yet
  std::chrono::milliseconds resync{30'000};   // how often to check a socket without an event
  std::chrono::milliseconds resend{60'000};   // how often a TCP peer is sent everything
  std::chrono::milliseconds stuck{2'000};     // how long after its successor a stuck message may arrive
};

class port_mapping_sink : public ports::sink {
 public:
  port_mapping_sink(const async::executor& where, port_mapping_options options);

  [[nodiscard]] std::string_view name() const override { return options_.name; }
  [[nodiscard]] ports::sink_traits traits() const override;

  // Never complete. An error while the socket is missing or, after a failed message, does not accept; while the tunnel
  // leads nowhere; and while the interface has no address.
  async::task<base::result<ports::peer_state>> list() override;
  // Sends removals as one message, then additions as one (more only beyond 4,096 bindings). After a failure nothing
  // further is sent, so the messages about one port keep their order. Ports sent with former addresses of the VM are
  // removed with these addresses first; they are forgotten once messages have come through for `resend`.
  async::task<std::vector<ports::outcome>> apply(std::vector<ports::operation> batch) override;
  async::task<> changed() override;
  async::task<> close() override;

 private:
  using indices = std::vector<std::size_t>;
  [[nodiscard]] bool is_tunnel() const { return std::holds_alternative<net::endpoint>(options_.peer); }
  async::task<std::optional<ports::outcome>> send_all(const std::vector<ports::operation>& batch, ports::verb what,
                                                      std::vector<ports::outcome>& outcomes);
  async::task<std::optional<ports::outcome>> send_one(port_mapping::message m);  // the failure
  [[nodiscard]] std::chrono::milliseconds patience() const;
  bool update_resend_timer();
  void schedule_resend();
  async::task<std::optional<ports::outcome>> take_back_former(const std::vector<ports::operation>& batch);

  port_mapping_options options_;
  std::unique_ptr<peer_monitor> peer_;
  address_book book_;
  bool peer_closes_ = false;         // behind a tunnel: the receiver closed the last connection
  std::set<ports::port_key> moved_;  // keys that are removed under all former addresses
  // Since when messages come through, with the same addresses.
  async::clock::time_point well_since_ = async::clock::time_point::max();
  async::clock::time_point repeat_at_;  // for a tunnel: when to send everything again
};

}  // namespace port_mapping_peer
