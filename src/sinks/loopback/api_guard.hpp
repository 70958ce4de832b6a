// api_guard: keeps containers and other forwarded senders away from host-switch's API, which takes the VM's packets for
// the agent's. By nftables where the kernel has it, else by a rule at the head of iptables-legacy's FORWARD. Puts it up
// again where another program took it away. It outlives a crashed agent; the next one goes on with it.
//
// Where the API is: at the address that the name has, as the agent itself finds it. While the name is not known, at the
// first address of the tap's network. An API on a loopback address needs no guard: forwarded packets do not get there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/turns.hpp"
#include "base/episode.hpp"
#include "kernel/netfilter/endpoint_guard.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "kernel/netlink/change_watch.hpp"
#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

struct guarded_server {
  std::string host;  // a name or an address
  std::uint16_t port = 80;
};

class api_guard {
 public:
  // `api`: nothing, nothing is guarded. The tag of `rules` begins the comment and names the table.
  api_guard(const async::executor& where, std::optional<guarded_server> api, const rule_options& rules,
            const std::vector<netfilter::nat_programs>& programs);

  // Puts the rule up where it is not. A failure is logged when it begins and when it ends.
  async::task<> ensure();
  // Never returns by itself: follows the name, and heals when the kernel announces a change.
  async::task<> keep();
  // Waits for what is under way; afterwards nothing puts the rule up any more.
  async::task<> remove();

 private:
  async::task<bool> look_up();
  async::task<base::result<>> ensure_at(net::endpoint at);
  async::task<base::result<>> remove_once();
  async::task<base::result<>> settle_legacy(std::vector<netfilter::rule_spec> rules);
  [[nodiscard]] net::endpoint guess() const;
  [[nodiscard]] netfilter::endpoint_guard guard_at(const net::endpoint& at) const;

  std::optional<guarded_server> api_;
  rule_options rules_;
  std::string comment_;
  std::optional<net::endpoint> found_;  // the address that the name has
  async::clock::time_point look_again_{};
  std::optional<netfilter::nat_tool> legacy_;
  std::optional<netlink::change_watch> watch_;
  base::log::episode trouble_;
  async::turns turns_;
  bool removed_ = false;
};

}  // namespace loopback
