// controller: the middle of the agent. Merges the snapshots of the sources in the port table, makes the plan, and gives
// every peer's reconciler its part. Owns the table, the plan and the reconcilers; lives on the control thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "async/condition.hpp"
#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "ports/change_trace.hpp"
#include "ports/owner_gate.hpp"
#include "ports/reconciler.hpp"
#include "ports/serving_gate.hpp"
#include "ports/source.hpp"
#include "programs/guest_agent/status.hpp"
#include "rules/rule_set.hpp"

namespace guest_agent {

class controller : public ports::source_feed {
 public:
  controller(const async::executor& where, ports::exposure_options policy);

  // Before run(): which sources the reconcilers wait for, and which part of the plan each peer gets.
  void enable(ports::source_id id) { table_.enable(id); }
  void trace_to(std::shared_ptr<ports::change_trace> trace) { trace_ = std::move(trace); }
  void add_peer(ports::peer_role role, std::unique_ptr<ports::reconciler> reconciler);
  // The port rules from now on, all at once, and why their file is refused.
  void use_rules(std::shared_ptr<const rules::rule_set> by, std::string trouble);

  void publish(ports::source_id id, ports::snapshot now) override;
  void degraded(ports::source_id id, base::error why) override;

  // Runs the reconcilers until cancelled.
  async::task<> run();
  // Withdraws everything from all peers concurrently, within the deadline. run() must still be running.
  async::task<> drain(async::clock::time_point deadline);

  // For the status; valid until the controller is called again.
  [[nodiscard]] status_view view() const;
  // Notified at every change of the status.
  [[nodiscard]] async::condition& changed() { return changed_; }
  // Grows with each change: a reader that was busy at a notification sees by it that it missed one.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  // Grows with each plan and with each operation that succeeds: both leave freed memory behind. An attempt to reach a
  // peer that fails changes the status alone.
  [[nodiscard]] std::uint64_t work() const;

 private:
  struct peer {
    ports::peer_role role;
    std::unique_ptr<ports::reconciler> reconciler;
  };
  void distribute();
  bool hold_back();
  void send_part(const peer& to);
  [[nodiscard]] const ports::reconcile_fsm* loopback() const;  // null if there is no such peer
  void release();
  void log_verdicts();
  void announce();
  async::task<> follow(const peer& followed);

  ports::exposure_options policy_;
  std::string rules_trouble_;
  ports::port_table table_;
  ports::exposure_plan plan_;
  ports::serving_gate gate_;
  ports::owner_gate owners_;
  std::vector<peer> peers_;
  std::set<ports::port_key> warned_;  // ports whose restriction was logged; at most those of the plan
  // A user who starts containers, or an engine that restarts, can provoke these lines.
  base::log::throttle verdict_lines_{std::chrono::minutes(1), 20};
  std::map<ports::source_id, base::log::throttle> trouble_lines_, connected_lines_;
  ports::time_point started_;
  async::condition changed_;
  std::uint64_t changes_ = 0, plans_ = 0;
  std::shared_ptr<ports::change_trace> trace_;  // may be nullptr
};

}  // namespace guest_agent
