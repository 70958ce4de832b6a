// settle_trigger: says when to settle the tables again: after another program has changed the rules or the machine's
// addresses, when a rejection ends, and at intervals. Every tenth interval rereads the whole tables.
//
// It is paced: while an engine adds many ports it returns twice a second at most, and less often while settling takes
// long. While nothing is wanted and no rule of ours exists, other programs' changes do not matter: only the intervals
// count.
#pragma once

#include <chrono>

#include "async/condition.hpp"
#include "kernel/netfilter/localnet_access.hpp"
#include "kernel/netfilter/nat_tables.hpp"
#include "sinks/loopback/machine_state.hpp"
#include "sinks/loopback/rejected_rules.hpp"
#include "sinks/loopback/rule_options.hpp"

namespace loopback {

class settle_trigger {
 public:
  // What it watches; all of it outlives the trigger.
  struct watched {
    netfilter::nat_tables& tables;
    const netfilter::localnet_access& localnet;
    const rejected_rules& rejected;
    const rule_options& rules;
    const machine_state& machine;  // at the last reading
  };
  settle_trigger(const async::executor& where, const watched& watch, std::chrono::milliseconds resync);

  // Around each settling. Idle: nothing is wanted, no table has a rule of ours, and route_localnet is off.
  void begin_settling();
  void end_settling(bool idle);

  // Returns when a settling is due. Cancelled: throws operation_aborted.
  async::task<> due();

 private:
  async::task<> due_at_all();
  async::task<base::result<>> wait_for_notice(async::clock::time_point when);
  async::task<> wait_engaged();
  async::task<> nft_or_machine_changed();
  [[nodiscard]] bool differs() const;

  watched watch_;
  std::chrono::milliseconds resync_;
  bool idle_ = false;
  async::condition engaged_;  // no longer idle
  async::clock::time_point began_{}, returned_{};
  async::clock::duration took_{};
};

}  // namespace loopback
