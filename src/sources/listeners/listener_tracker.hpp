// listener_tracker: which of the sockets that listen are published ports, and for how long. Pure: the time is passed
// in.
//
// A listener that closes within the hold time of its first sight keeps its claim for as long again: engines and their
// hooks reserve a port with a socket of a moment, and the port's own claim (a container's, a DNAT rule's) comes right
// behind it; the host must not see the port go and come. Nobody serves such a claim, so nothing is done for it inside
// the VM. A listener that lived longer, or was there from the start, goes with its last socket.
//
// A wildcard that takes IPv6 alone needs a relay on the VM's IPv4 addresses. It is asked for only after the hold time:
// servers that open the IPv4 socket second must find the port free.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "netlink/sock_diag.hpp"
#include "ports/snapshot.hpp"
#include "sources/listeners/ignore_list.hpp"

namespace listeners {

using time_point = std::chrono::steady_clock::time_point;

struct tracker_options {
  ignore_list ignored{};
  std::chrono::milliseconds hold{1'000};
  std::size_t most = 16'384;  // claims
};

class listener_tracker {
 public:
  explicit listener_tracker(tracker_options options) : options_(std::move(options)) {}

  // All sockets that listen now, those of this process left out. Unconnected UDP sockets on ports in `ephemeral` are
  // clients. True if the snapshot is another one than before.
  bool update(const std::vector<netlink::diag_socket>& sockets, netlink::port_range ephemeral, time_point now);
  // What to publish, without an epoch.
  [[nodiscard]] const ports::snapshot& snapshot() const { return snapshot_; }
  // When the snapshot changes though no socket does: update() is to be called then. max() for never.
  [[nodiscard]] time_point next_change() const { return next_change_; }

 private:
  struct key {
    net::protocol protocol{};
    net::endpoint at;
    bool ipv6_only = false;
    auto operator<=>(const key&) const = default;
  };
  struct claim {
    time_point opened;                   // first seen in this life of it
    std::optional<time_point> closed{};  // missed first, while it is kept though it has gone
    std::uint64_t seen_in = 0;           // the update that saw it last
  };
  enum class fate { published, passed_over, device };
  [[nodiscard]] fate judge(const netlink::diag_socket& s, netlink::port_range ephemeral) const;
  void see_again(claim& c, time_point now) const;
  void miss(time_point now);
  void see_all(const std::vector<netlink::diag_socket>& published, time_point now);
  [[nodiscard]] ports::binding to_binding(const key& k, const claim& c, time_point now);

  tracker_options options_;
  std::map<key, claim> claims_;
  std::uint64_t updates_ = 0;
  std::size_t too_many_ = 0;
  ports::snapshot snapshot_;
  time_point next_change_ = time_point::max();
};

}  // namespace listeners
