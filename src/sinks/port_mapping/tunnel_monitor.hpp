// tunnel_monitor: a peer behind a TCP port that vtunnel forwards, and the addresses of the interface to which the peer
// connects back.
//
// The port may accept while the tunnel's far end, or the program behind it, is down. So one connection stays open, the
// standing connection, on which nothing is ever sent. It breaks when any program on the way ends; if it breaks at once,
// a program further on is missing. The peer behind the next standing connection counts as another one, and so does the
// same peer when the interface has other addresses.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "async/condition.hpp"
#include "async/task_group.hpp"
#include "kernel/netlink/address_watch.hpp"
#include "net/endpoint.hpp"
#include "sinks/port_mapping/message_sender.hpp"
#include "sinks/port_mapping/peer_monitor.hpp"

namespace port_mapping_peer {

struct tunnel_monitor_options {
  net::endpoint peer;
  std::string interface;                            // whose addresses the peer is sent
  std::chrono::milliseconds deadline{5'000};        // for connecting
  std::chrono::milliseconds breaks_within{100};     // how soon a connection breaks if the tunnel leads nowhere
  std::chrono::milliseconds between_checks{1'000};  // if the peer keeps dropping the standing connection
};

class tunnel_monitor final : public peer_monitor {
 public:
  tunnel_monitor(const async::executor& where, tunnel_monitor_options options);

  // Takes `breaks_within` if there is no standing connection.
  async::task<base::result<std::string>> check() override;
  async::task<> changed() override;
  void suspect() override;
  async::task<bool> is_alive(bool refused) override;
  [[nodiscard]] bool announces_return() const override { return false; }
  [[nodiscard]] const connect_addresses& addresses() const override { return addresses_; }

 private:
  async::task<base::result<>> open_standing();
  async::task<> follow_addresses();
  async::task<> follow(stream_ptr standing);
  async::task<> broken();
  [[nodiscard]] base::result<connect_addresses> read_addresses() const;
  [[nodiscard]] bool has_addresses() const;  // whether they are still those of the last check()

  async::executor where_;
  tunnel_monitor_options options_;
  std::unique_ptr<netlink::address_watch> watch_;  // null: polling
  connect_addresses addresses_;
  stream_ptr standing_;       // null: none, or broken
  unsigned connections_ = 0;  // standing connections so far
  async::clock::time_point last_check_{};
  async::condition news_;
  async::task_group tasks_;
};

}  // namespace port_mapping_peer
