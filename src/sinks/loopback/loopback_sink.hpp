// loopback_sink: makes ports that are published on single addresses of the VM (127.0.0.1, ::1, 10.0.0.5 …) reachable at
// the VM's tap address, where host-switch connects, and at its veth address, where wsl-proxy connects. A rule for each
// port does it, with a userspace relay behind it where the kernel alone cannot; rule_plan.hpp says which rules. Ports
// of Kubernetes' Services, which have the wildcard address, are relayed from the veth to the tap's address.
//
// It heals itself: every list() and apply() reads the nat table and changes what differs from what is wanted, in one
// transaction. What an earlier run left and what is still alive is reported as held, so that it goes on without a gap;
// what is dead is removed at once. Forwards' keys are raw, as the port is inside the VM.
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
  // host-switch's API, from which forwarded packets are kept; empty: there is none.
  std::optional<guarded_server> api{};
};

class loopback_sink final : public ports::sink {
 public:
  loopback_sink(const async::executor& where, loopback_options options);

  [[nodiscard]] std::string_view name() const override { return "loopback"; }
  // All ports in one transaction. Not shared: the comment of a rule says that it is ours.
  [[nodiscard]] ports::sink_traits traits() const override { return {.workers = 1, .batch = 4096, .shared = false}; }

  async::task<base::result<ports::peer_state>> list() override;
  async::task<std::vector<ports::outcome>> apply(std::vector<ports::operation> batch) override;
  async::task<> changed() override;
  // Removes all rules of ours and the relays, and restores route_localnet. Afterwards nothing is done any more.
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
  bool news_ = false;             // a port that was served is not any more, and the reconciler has not been told
  bool closed_ = false;
};

}  // namespace loopback
