// port_mapping_sink: a peer that is told by PortMapping messages and never answers: wsl-proxy at its UNIX socket, or
// the privileged service behind vtunnel's TCP end. Owned by its reconciler's owner; used from the control thread only.
//
// The peer cannot be asked what it holds. That it was restarted is noticed by its presence, and the reconciler then
// sends everything again; behind a tunnel it does so every minute, too, since there more can go wrong unseen. A message
// counts as applied once the peer's kernel has it; behind a tunnel once its connection was closed from the far end, if
// the tunnel still stands then. One that got stuck there may arrive behind those that were sent after it: then
// everything is sent once more a little later. Of a receiver that has not closed the connection before, either, that is
// not expected: the protocol has no answers, and a message that was written completely is delivered.
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
  std::string interface{};                    // of a TCP peer: whose addresses it is told to connect to
  std::filesystem::path address_file{};       // of a TCP peer: remembers these, see address_book; empty: nothing does
  std::chrono::milliseconds deadline{5'000};  // for each message; then again for a tunnel's receiver to read it
  std::chrono::milliseconds patience{1'000};  // instead, for a tunnel's receiver that has not closed any connection yet
  std::chrono::milliseconds resync{30'000};   // how often to look at a socket unprompted
  std::chrono::milliseconds resend{60'000};   // how often a TCP peer is told everything unprompted
  std::chrono::milliseconds stuck{2'000};     // how much later than its successor a stuck message may arrive
};

class port_mapping_sink : public ports::sink {
 public:
  port_mapping_sink(const async::executor& where, port_mapping_options options);

  [[nodiscard]] std::string_view name() const override { return options_.name; }
  [[nodiscard]] ports::sink_traits traits() const override;

  // Never complete. An error while there is no socket, while nobody accepts on it after a message failed, while the
  // tunnel leads nowhere, or while the interface has no address.
  async::task<base::result<ports::peer_state>> list() override;
  // Removals as one message, then additions as one (more only beyond 4,096 bindings); after a failure nothing further
  // is sent, so that the messages about one port keep their order. What was told under former addresses of the VM is
  // taken back with these first; they are forgotten when messages have come through for as long as `resend`.
  async::task<std::vector<ports::outcome>> apply(std::vector<ports::operation> batch) override;
  async::task<> changed() override;
  async::task<> close() override;

 private:
  using indices = std::vector<std::size_t>;
  [[nodiscard]] bool is_tunnel() const { return std::holds_alternative<net::endpoint>(options_.peer); }
  async::task<std::optional<ports::outcome>> send_all(const std::vector<ports::operation>& batch, ports::verb what,
                                                      std::vector<ports::outcome>& outcomes);
  async::task<std::optional<ports::outcome>> send_one(port_mapping::message m);  // what went wrong
  [[nodiscard]] std::chrono::milliseconds patience() const;
  bool update_resend_timer();
  void schedule_resend();
  async::task<std::optional<ports::outcome>> take_back_former(const std::vector<ports::operation>& batch);

  port_mapping_options options_;
  std::unique_ptr<peer_monitor> peer_;
  address_book book_;
  bool peer_closes_ = false;         // behind a tunnel: the receiver closed the last message's connection
  std::set<ports::port_key> moved_;  // of which nothing is left under former addresses
  async::clock::time_point well_since_ =
      async::clock::time_point::max();  // messages come through, to the same addresses
  async::clock::time_point repeat_at_;  // of a tunnel: when everything is to be sent again
};

}  // namespace port_mapping_peer
