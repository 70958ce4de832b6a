// localnet_guard: drops packets that a peer itself addresses to 127.0.0.0/8. With route_localnet the kernel no longer
// does, and the peer could reach every listener on a loopback address. Packets that the nat table translates later
// pass: here they still have the address that the peer used.
//
// It uses nftables if the kernel has it, otherwise rules at the head of iptables-legacy's table raw. It outlives a
// crashed agent, as route_localnet does.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "kernel/netfilter/nat_tool.hpp"

namespace netfilter {

class localnet_guard {
 public:
  // `tag` begins the comments and the table's name.
  localnet_guard(std::string tag, const std::vector<nat_programs>& programs);

  // Adds the rules for these devices, one at least, and removes those for other devices.
  async::task<base::result<>> ensure(std::set<std::string> devices);
  async::task<base::result<>> remove();
  // Whether the rules of the last ensure() are still in nftables; true if it used iptables-legacy.
  [[nodiscard]] bool holds() const;
  // Adds rules that another program removed from nftables; holds() says whether that succeeded.
  void heal() const;

 private:
  [[nodiscard]] std::vector<rule_spec> legacy_rules(const std::set<std::string>& devices) const;
  async::task<base::result<>> settle_legacy(const nat_tool& legacy, std::vector<rule_spec> wanted) const;

  std::string tag_, comment_;
  std::optional<nat_tool> legacy_;
  std::set<std::string> in_nftables_;  // the devices of the last ensure(), if it used nftables
};

}  // namespace netfilter
