// engine_rules: a nat table seen from the agent: which rules are the engines', which are ours, and which of ours are
// alive. A view: it must not outlive the table. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

// Whether a line of iptables-save is one of the rules that are looked at: of the chains in which engines or this
// program have theirs, and this program's own rules elsewhere.
[[nodiscard]] bool concerns_us(std::string_view chain, std::string_view line, const rule_options& options);

class engine_rules {
 public:
  engine_rules(const netfilter::nat_table& table, const rule_options& options);

  // The engine's own rule for a port of that owner, or nullptr. A chain of another container does not count: a
  // container that was not taken down in good order has left it behind. The iptables source has no container id, so it
  // uses the chain name as owner. An empty owner matches any rule for the port.
  [[nodiscard]] const netfilter::rule_spec* find(const ports::port_key& key, std::string_view owner) const;
  // How the engine of this rule serves its ports.
  [[nodiscard]] ports::serving serving_of(const netfilter::dnat& of) const;
  // The addresses for which an engine sends this port to this target.
  [[nodiscard]] std::vector<net::address> addresses(const netfilter::dnat& of) const;

  struct own_rule {
    const netfilter::rule_spec* what = nullptr;
    std::size_t position = 0;
    std::uint64_t handle = 0;  // 0: not known
  };
  [[nodiscard]] const std::vector<own_rule>& ours() const { return ours_; }
  // The position in PREROUTING of the last jump to another program's chain. Ours stand behind it.
  [[nodiscard]] std::size_t last_jump() const { return last_jump_; }
  // PREROUTING jumps to an engine's chain.
  [[nodiscard]] bool active() const { return !engines_.empty(); }
  // The table has our chain.
  [[nodiscard]] bool has_own_chain() const { return has_own_chain_; }

  // What stands behind the tag in the comment of a rule of ours: a container's id, "listener", "tap".
  [[nodiscard]] std::string_view label(const netfilter::rule_spec& r) const {
    return netfilter::comment_of(r).substr(tag_.size());
  }

 private:
  void add(const netfilter::rule_spec& r, std::size_t position, std::uint64_t handle);
  void learn_owner(const netfilter::rule_spec& r);
  [[nodiscard]] const engine_chain* engine_of(std::string_view chain) const;

  std::string tag_;                            // with its colon
  std::vector<const engine_chain*> engines_;   // the active ones
  std::map<std::string, std::string> owners_;  // of chains, as CNI calls them: "<namespace>-<id>"
  std::multimap<ports::port_key, const netfilter::rule_spec*> by_key_;
  struct published {
    std::set<net::address> addresses;
    ports::serving served = ports::serving::rule_and_proxy;
  };
  std::map<netfilter::dnat, published> by_target_;  // its key names no destination
  std::vector<own_rule> ours_;
  std::size_t last_jump_ = 0;
  bool has_own_chain_ = false;
};

}  // namespace loopback
