// api_guard: keeps containers and other forwarded senders away from host-switch's API, which takes the VM's packets for
// the agent's. By nftables where the kernel has it, else by a rule at the head of iptables-legacy's FORWARD. Puts it up
// again where another program took it away. It outlives a crashed agent; the next one goes on with it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/episode.hpp"
#include "io/turns.hpp"
#include "netfilter/endpoint_guard.hpp"
#include "netlink/change_watch.hpp"
#include "sinks/loopback/nat_tool.hpp"

namespace loopback {

class api_guard {
 public:
  // `api`: of IPv4; empty: nothing is guarded. `tag` begins the comment and names the table.
  api_guard(const io::executor& where, std::optional<net::endpoint> api, const std::string& tag,
            const std::vector<nat_programs>& programs);

  // Puts the rule up where it is not. A failure is logged when it begins and when it ends.
  io::task<> ensure();
  // Never returns by itself: heals when the kernel announces a change.
  io::task<> keep();
  // Waits for what is under way; afterwards nothing puts the rule up any more.
  io::task<> remove();

 private:
  io::task<base::result<>> ensure_once();
  io::task<base::result<>> ensure_legacy(bool wanted);
  [[nodiscard]] rule legacy_rule() const;

  std::optional<net::endpoint> api_;
  std::string comment_;
  netfilter::endpoint_guard guard_;
  std::optional<nat_tool> legacy_;
  std::optional<netlink::change_watch> watch_;
  base::log::episode trouble_;
  io::turns turns_;
  bool removed_ = false;
};

}  // namespace loopback
