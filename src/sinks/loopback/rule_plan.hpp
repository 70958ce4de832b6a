// rule_plan: the last step of a settling: the rules for the chosen ways, and what to change in the nat table so that it
// has them. The chain holds one rule for each port of the peers; its comment names the owner. Rules for TCP match new
// connections only (--syn). README.md shows where the rules are on a packet's way. Pure.
#pragma once

#include <map>
#include <vector>

#include "kernel/netfilter/own_rules.hpp"
#include "kernel/netfilter/table_change.hpp"
#include "sinks/loopback/machine_state.hpp"
#include "sinks/loopback/port_ways.hpp"

namespace loopback {

struct rule_plan {
  netfilter::table_change change{};       // empty: the table is right
  std::vector<ports::port_key> owners{};  // of each line; a default one if it belongs to no port
  bool localnet = false;                  // a rule leads to a loopback address
};

// The ports on which the relays listen, by key.
using relay_numbers = std::map<ports::port_key, std::uint16_t>;

// A relayed port whose number is not in `relays` gets no rule. With nothing served every rule of ours is removed.
[[nodiscard]] rule_plan plan_rules(const netfilter::own_rules& present, const std::vector<served_port>& served,
                                   const relay_numbers& relays, const machine_state& machine,
                                   const rule_options& options);

}  // namespace loopback
