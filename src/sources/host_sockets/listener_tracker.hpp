// listener_tracker: decides which listening sockets are published, and for how long. Pure: the time is an
// argument.
//
// TCP. A listener is published when it is first seen. If it closes within the hold time, its claim stays for as long
// again. Engines and their hooks reserve a port with a short-lived socket; the port's own claim (of a container or a
// DNAT rule) follows, and the port must stay open on the host in between. No process serves such a claim, so it has no
// effect inside the VM. A claim of an older listener, or of one that existed at the start, ends with its last
// socket.
//
// UDP has no listen(): a client that sends one query looks like a server. A socket is published when it has been open
// for udp_age. A younger one keeps an existing claim, but makes none. At the start the age of a socket is unknown;
// is_settled() says when it is known.
//
// A wildcard for IPv6 alone needs a relay on the VM's IPv4 addresses. The relay is requested only after the hold time:
// servers that open the IPv4 socket second must find the port free.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/netlink/sock_diag.hpp"
#include "ports/snapshot.hpp"
#include "sources/host_sockets/classify.hpp"

namespace host_sockets {

using time_point = std::chrono::steady_clock::time_point;

struct tracker_options {
  ignore_list ignored{};
  std::chrono::milliseconds hold{1'000};
  std::chrono::milliseconds udp_age{1'000};  // minimum age of a UDP server
  std::chrono::milliseconds remark{1'000};   // between snapshots that differ only in the reasons
  std::size_t most = 16'384;                 // claims
};

class listener_tracker {
 public:
  explicit listener_tracker(tracker_options options) : options_(std::move(options)) {}

  // All listening sockets. Returns those whose owner matters: look them up, then call update().
  std::vector<netlink::diag_socket> note(std::vector<netlink::diag_socket> sockets, netlink::port_range ephemeral,
                                         time_point now);
  // The owners, by inode, of the sockets that note() returned. True if the snapshot has changed.
  bool update(const owner_map& owners);
  // Whether the last update changed a published port, and not only a reason.
  [[nodiscard]] bool bindings_changed() const { return bindings_changed_; }
  // The snapshot, without an epoch.
  [[nodiscard]] const ports::snapshot& snapshot() const { return snapshot_; }
  // False at the start, while the age of UDP sockets is unknown: there is no snapshot to publish yet.
  [[nodiscard]] bool is_settled() const { return settled_; }
  // When the snapshot changes though no socket does: call note() and update() then. max() for never.
  [[nodiscard]] time_point next_change() const { return next_change_; }

 private:
  struct key {
    net::protocol protocol{};
    net::endpoint at;
    bool ipv6_only = false;
    auto operator<=>(const key&) const = default;
  };
  struct claim {
    time_point opened;                   // first seen
    std::optional<time_point> closed{};  // first missed, while the claim is held
    std::uint64_t seen_in = 0;           // the last update that saw it
  };
  struct excluded {
    std::size_t count = 0;
    std::set<std::string> names;  // the first few
  };
  static key key_of(const netlink::diag_socket& s);
  void note_ages();
  void exclude(const netlink::diag_socket& s, exclusion why);
  void mark_seen(claim& c) const;
  void claim_all(const std::vector<key>& published);
  void expire();
  [[nodiscard]] ports::binding to_binding(const key& k, const claim& c);
  void add_refusals(ports::snapshot& to) const;
  bool replace_snapshot(ports::snapshot next);
  void wake_at(time_point when) { next_change_ = std::min(next_change_, when); }

  tracker_options options_;
  std::map<key, claim> claims_;
  std::unordered_map<std::uint32_t, time_point> udp_opened_;  // by inode, of the sockets of the last note()
  std::array<excluded, exclusion_count> excluded_;
  std::vector<observation> observed_;
  netlink::port_range ephemeral_{};
  time_point now_{}, started_{}, remarked_{};
  std::uint64_t updates_ = 0;
  std::size_t too_many_ = 0;
  bool settled_ = false, bindings_changed_ = false;
  ports::snapshot snapshot_;
  time_point next_change_ = time_point::max();
};

}  // namespace host_sockets
