// localnet_guard: drops packets that a peer addresses to 127.0.0.0/8 itself. The kernel does so until route_localnet is
// on; then every listener on a loopback address is within the peer's reach. What a rule of the nat table translates
// passes: at this place it still has the address that the peer knows.
//
// By nftables where the kernel has it, else by rules at the head of iptables-legacy's table raw. It outlives a crashed
// agent, as route_localnet does.
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

  // Puts the rules up for these devices, one at least, and for no other, where they are not so already.
  async::task<base::result<>> ensure(std::set<std::string> devices);
  async::task<base::result<>> remove();
  // Whether the last ensure() holds, as far as a look at nftables shows it; true where it did nothing there.
  [[nodiscard]] bool holds() const;
  // Puts up at once what another program took out of nftables; holds() says whether that was possible.
  void heal() const;

 private:
  [[nodiscard]] std::vector<rule_spec> legacy_rules(const std::set<std::string>& devices) const;
  async::task<base::result<>> settle_legacy(std::vector<rule_spec> wanted);

  std::string tag_, comment_;
  std::optional<nat_tool> legacy_;
  std::set<std::string> in_nftables_;  // the devices of the last ensure() that went there
};

}  // namespace netfilter
