// forward_guard: resets connections to one TCP endpoint if the packets are forwarded, as those of containers are. It
// uses nftables (endpoint_guard) if the kernel has it, otherwise a rule at the head of iptables-legacy's FORWARD, for
// IPv4 only. It outlives a crashed program, and the next run takes it over.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "kernel/netfilter/endpoint_guard.hpp"
#include "kernel/netfilter/nat_tool.hpp"

namespace netfilter {

class forward_guard {
 public:
  // `table` is its table in nftables; the comments of its rules begin with `comment`.
  forward_guard(std::string table, std::string comment, const std::vector<nat_programs>& programs);

  // Adds the rule for this endpoint if it is missing, and removes one for another endpoint.
  async::task<base::result<>> ensure(net::endpoint at);
  async::task<base::result<>> remove();

 private:
  [[nodiscard]] endpoint_guard guard_at(const net::endpoint& at) const;
  async::task<base::result<>> settle_legacy(const nat_tool& legacy, std::vector<rule_spec> wanted) const;

  std::string table_, comment_;
  std::optional<nat_tool> legacy_;
};

}  // namespace netfilter
