// tunnel_monitor: a peer behind a TCP port that somebody else forwards (vtunnel), and the addresses of the interface
// at which that peer is to connect back.
//
// That the port accepts says little: the tunnel's far end, or the program behind it, may be down. So one connection is
// kept open on which nothing is ever sent. The tunnel hands its end on from either side: while it stands, so do all who
// carry it, and when one of them goes, it breaks. A connection that breaks at once tells that somebody further on is
// missing. What is there afterwards is another peer, as is the same one once the interface has other addresses.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
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
  std::string interface;                            // whose addresses are told
  std::chrono::milliseconds deadline{5'000};        // for connecting
  std::chrono::milliseconds breaks_within{100};     // a connection through a tunnel that leads nowhere
  std::chrono::milliseconds between_checks{1'000};  // at a peer that drops the standing connection again and again
};

class tunnel_monitor final : public peer_monitor {
 public:
  tunnel_monitor(const async::executor& where, tunnel_monitor_options options);

  // Takes `breaks_within` where there is no standing connection.
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
  [[nodiscard]] bool has_addresses() const;  // as it had at the last look

  async::executor where_;
  tunnel_monitor_options options_;
  std::optional<netlink::address_watch> watch_;
  connect_addresses addresses_;
  stream_ptr standing_;       // null: none, or it broke
  unsigned connections_ = 0;  // that have stood
  async::clock::time_point last_check_{};
  async::condition news_;
  async::task_group tasks_;
};

}  // namespace port_mapping_peer
