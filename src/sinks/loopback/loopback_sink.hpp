// loopback_sink: makes ports that are published on single addresses of the VM (127.0.0.1, ::1, 10.0.0.5 …) reachable at
// the VM's tap address, where host-switch connects, and at its veth address, where wsl-proxy connects. Each port has a
// rule of the nat table, and a relay behind it if the kernel alone cannot serve it; see README.md. Ports of Kubernetes'
// Services, which have the wildcard address, are relayed from the veth to the tap's address.
//
// It heals itself: every list() and apply() compares the nat table with the wanted ports, and changes what differs in
// one transaction. Live rules of an earlier run are reported as held, so their ports are never interrupted. Dead rules
// are removed at once. The keys of forwards are the ports inside the VM.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/condition.hpp"
#include "async/turns.hpp"
#include "ports/sink.hpp"
#include "sinks/loopback/api_guard.hpp"
#include "sinks/loopback/nat_rules.hpp"

namespace loopback {

struct loopback_options {
  nat_rules_options rules{};
  // host-switch's API, which api_guard protects; empty: there is none.
  std::optional<guarded_server> api{};
};

class loopback_sink final : public ports::sink {
 public:
  loopback_sink(const async::executor& where, loopback_options options);

  [[nodiscard]] std::string_view name() const override { return "loopback"; }
  // All ports in one transaction. Not shared: a rule's comment shows whether it is ours.
  [[nodiscard]] ports::sink_traits traits() const override { return {.workers = 1, .batch = 4096, .shared = false}; }
  [[nodiscard]] std::string_view limitation() const override { return rules_.limitation(); }

  async::task<base::result<ports::peer_state>> list() override;
  async::task<std::vector<ports::outcome>> apply(std::vector<ports::operation> batch) override;
  async::task<> changed() override;
  // Removes all rules of ours and the relays, and restores route_localnet. Later calls do nothing.
  async::task<> close() override;

 private:
  async::task<base::result<>> settle(adopt_live adopt);
  void admit(const ports::operation& op, ports::outcome& answer);
  void note_displaced(const std::vector<ports::operation>& batch);
  async::task<> wait_for_displaced();
  [[nodiscard]] ports::outcome outcome_of(const ports::operation& op) const;

  api_guard guard_;
  nat_rules rules_;
  async::turns turns_;  // list(), apply() and close() change the same tables
  async::condition displaced_;
  async::condition never_;
  wanted_ports wanted_;
  nat_rules::troubles troubles_;  // of the last settling: ports that are not served
  bool has_displaced_ = false;    // a port is no longer served, and changed() has not returned since
  bool closed_ = false;
};

}  // namespace loopback
