// listeners_source: what listens in this network namespace, of whomever. Containers of the host's network have no
// published ports; their servers just listen. Events say when to look; looking is one list from the kernel.
//
// The namespace is that of the thread that calls run(), which must not change it. What cannot be read leaves the last
// snapshot standing.
//
// What an engine itself listens on is left out where the engine's own source tells of its ports: docker-proxy listens
// half a second before its container is there, and whoever connected then would wait for nothing.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ports/source.hpp"
#include "sources/listeners/listener_tracker.hpp"
#include "sources/listeners/look_pace.hpp"
#include "sources/listeners/socket_events.hpp"

namespace listeners {

struct listeners_options {
  tracker_options tracker{};
  std::vector<std::string> engine_programs{};  // processes whose sockets are left out, by the kernel's name for them
  socket_events::by events = socket_events::by::kernel;
  std::chrono::milliseconds resync{30'000};     // between looks that nothing asked for
  std::chrono::milliseconds poll_busy{250};     // where the kernel does not tell of all: soon after a change …
  std::chrono::milliseconds poll_quiet{900};    // … and in quiet times
  std::chrono::milliseconds busy_time{10'000};  // how long after the last change it is still soon
};

class listeners_source final : public ports::source {
 public:
  listeners_source(io::executor where, listeners_options options);

  [[nodiscard]] ports::source_id id() const override { return ports::source_id::listeners; }
  io::task<> run(ports::source_feed& feed) override;

 private:
  void follow_ephemeral_ports();
  void look(ports::source_feed& feed);
  base::result<std::vector<netlink::diag_socket>> read_others();
  base::result<std::set<std::uint32_t>> unwanted_inodes() const;
  void fail(ports::source_feed& feed, base::error why);
  [[nodiscard]] io::clock::time_point next_look() const;

  io::executor where_;
  listeners_options options_;
  listener_tracker tracker_;
  look_pace pace_;
  std::optional<socket_events> events_;
  netlink::port_range ephemeral_{};
  std::map<std::uint32_t, bool> unwanted_;  // by inode, of the sockets of the last list: ours, or an engine's
  std::vector<net::protocol> unsupported_;
  std::uint64_t epoch_ = 0;
  bool well_ = false;  // the last look succeeded
  io::clock::time_point looked_{}, changed_{};
  std::optional<io::clock::time_point> again_at_;
};

}  // namespace listeners
