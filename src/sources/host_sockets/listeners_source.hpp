// listeners_source: publishes the listening sockets of this network namespace. Containers of the host's network have no
// published ports; their servers just listen. Events say when to scan; a scan is one list from the kernel.
//
// The namespace is that of the thread that calls run(), which must not change it. If a scan fails, the last snapshot
// stays. If the owner of a socket is unknown, the socket is not published and the snapshot names the reason.
//
// An engine's own listeners are left out, because the engine's own source publishes its ports: docker-proxy listens
// half a second before its container is reachable, and a client would connect to nothing.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/episode.hpp"
#include "ports/source.hpp"
#include "sources/host_sockets/listener_tracker.hpp"
#include "sources/host_sockets/rescans.hpp"
#include "sources/host_sockets/scan_budget.hpp"
#include "sources/host_sockets/socket_events.hpp"
#include "sources/host_sockets/socket_owners.hpp"

namespace host_sockets {

struct listeners_options {
  tracker_options tracker{};
  owner_options owners{};
  socket_events::event_mode events = socket_events::event_mode::kernel;
  std::chrono::milliseconds resync{30'000};     // between scans without an event
  std::chrono::milliseconds poll_busy{250};     // while events are incomplete: soon after a change …
  std::chrono::milliseconds poll_quiet{900};    // … and in quiet times
  std::chrono::milliseconds busy_time{10'000};  // how long after the last change is "soon"
};

class listeners_source final : public ports::source {
 public:
  listeners_source(async::executor where, listeners_options options);

  [[nodiscard]] ports::source_id id() const override { return ports::source_id::listeners; }
  async::task<> run(ports::source_feed& feed) override;

 private:
  void scan(ports::source_feed& feed);
  base::result<> follow_ephemeral_ports();
  base::result<bool> scan();
  base::result<std::vector<netlink::diag_socket>> list();
  void publish(ports::source_feed& feed);
  void fail(ports::source_feed& feed, base::error why);
  [[nodiscard]] async::clock::time_point next_scan() const;

  async::executor where_;
  listeners_options options_;
  listener_tracker tracker_;
  socket_owners owners_;
  scan_budget pace_;
  rescans rescans_;
  std::unique_ptr<socket_events> events_;
  netlink::port_range ephemeral_;  // those that events_ ignores
  std::vector<net::protocol> unsupported_;
  std::optional<base::error> doubt_;  // as published
  base::log::episode unclear_{"listeners", "the process of some sockets is unknown, they are not published"};
  std::uint64_t epoch_ = 0;
  bool well_ = false;  // the last scan succeeded
  async::clock::time_point last_scan_{}, changed_{};
};

}  // namespace host_sockets
