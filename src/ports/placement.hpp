// placement: which port of the host each port of the table is to get. By default the one that it was published at; a
// port rule may say another, or none. Pure.
//
// The claim that comes first decides for its port: the rules match its source, address and owner. If labels count, it
// may narrow what the rules decide by a label of its owner (rules::narrow). Labels are read once for an owner. What
// cannot be read is said at the port that it is about, or else at the owner's first one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "ports/port_table.hpp"
#include "rules/decision.hpp"
#include "rules/rule_set.hpp"
#include "rules/rules_codec.hpp"

namespace ports {

// A port of the VM, and the port of the host that it is to be.
struct placed_port {
  port_key key;                // on the host
  std::uint16_t inside = 0;    // the number inside the VM
  std::vector<claim> claims;   // never empty; the best ranked first
  rules::decision by;          // of the first claim's port
  bool owner_matters = false;  // no claim knows whose port it is, and a rule asks for that
};

struct ignored_port {
  port_key key;  // as published
  std::vector<claim> claims;
  rules::decision by;
};

struct placement {
  std::vector<placed_port> ports;  // by key and the number inside
  std::vector<ignored_port> ignored;
};

struct placement_options {
  const rules::rule_set* by = nullptr;              // null: no rules
  std::optional<rules::known_names> label_names{};  // which a label may use; nullopt: labels do not count
  bool loopback_only = false;                       // every port of the host is at 127.0.0.1
};
// False: the ports go where they were published, and their owners do not matter.
[[nodiscard]] bool looks_at_owners(const placement_options& how);
[[nodiscard]] placement place(const port_table& table, const placement_options& how);

// Whether the rule that decided leaves the port to this peer.
[[nodiscard]] bool allows(const rules::decision& by, std::string_view peer);

}  // namespace ports
