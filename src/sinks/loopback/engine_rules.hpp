// engine_rules: the rules by which engines publish ports, in one nat table. An engine counts if PREROUTING jumps to its
// chain. A view that must not outlive the table and the options. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "sinks/loopback/rule_options.hpp"

namespace loopback {

class engine_rules {
 public:
  engine_rules(const netfilter::nat_table& table, const rule_options& options);

  // The engine's rule for a port of that owner, or nullptr. A chain of another container does not count: a container
  // that was not shut down cleanly has left it. The iptables source has no container id, so it uses the chain name as
  // owner. An empty owner matches any rule for the port.
  [[nodiscard]] const netfilter::rule_spec* find(const ports::port_key& key, std::string_view owner) const;
  // How the engine of rules with this target serves its ports.
  [[nodiscard]] ports::serving serving_of(const netfilter::dnat& of) const;
  // The addresses at which an engine publishes this port of this target.
  [[nodiscard]] std::vector<net::address> addresses(const netfilter::dnat& of) const;
  // Whether any engine publishes in this table.
  [[nodiscard]] bool active() const { return !engines_.empty(); }

 private:
  void add(const netfilter::rule_spec& r);
  void note_owner(const netfilter::rule_spec& r);
  [[nodiscard]] const engine_chain* engine_of(std::string_view chain) const;

  std::vector<const engine_chain*> engines_;   // the active ones
  std::map<std::string, std::string> owners_;  // of chains, as CNI names them: "<namespace>-<id>"
  std::multimap<ports::port_key, const netfilter::rule_spec*> by_key_;
  struct published {
    std::set<net::address> addresses;
    ports::serving served = ports::serving::rule_and_proxy;
  };
  std::map<netfilter::dnat, published> by_target_;  // the key has no destination
};

// How many of the wanted ports the engines' rules publish.
[[nodiscard]] std::size_t count_published(const engine_rules& rules, const wanted_ports& wanted);

}  // namespace loopback
