#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/shared_text.hpp"
#include "net/address.hpp"
#include "rules/conditions.hpp"
#include "rules/decision.hpp"
#include "rules/rule.hpp"
#include "rules/rule_set.hpp"

namespace rules {
namespace {

bool is_localhost(const net::address& a) {
  return a == net::address::loopback_v4() || a == net::address::loopback_v6();
}

// Both forms of "every address" are one, and both forms of localhost: the host has each in both families.
bool is_same(const net::address& a, const net::address& b) {
  return a == b || (a.is_unspecified() && b.is_unspecified()) || (is_localhost(a) && is_localhost(b));
}

void narrow_address(narrowed& made, const net::address& wanted, const subject& s) {
  const auto decided = made.result.host_address.value_or(s.address);
  if (is_same(decided, wanted)) return;
  if (decided.is_unspecified()) {
    made.result.host_address = wanted;
    return;
  }
  made.refusals.push_back(fmt::format("host-address {}: the port is on {}, and a label cannot widen or move that",
                                      wanted.to_string(), decided.to_string()));
}

bool is_in(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// Whether the rules let a port that they have decided so have a number about which they decide `there`.
bool may_move(const decision& decided, const decision& there, const subject& s) {
  if (there.ignore || there.host_port != 0) return false;
  if (there.host_address && !is_same(*there.host_address, decided.host_address.value_or(s.address))) return false;
  if (!there.peers) return true;
  return decided.peers &&
         std::ranges::all_of(*decided.peers, [&](const std::string& peer) { return is_in(*there.peers, peer); });
}

void narrow_port(const rule_set& set, narrowed& made, const host_port& wanted, const subject& s) {
  const auto mapped = map_port(wanted, {s.port, s.port}, s.port);
  if (!mapped) {
    made.refusals.push_back(
        fmt::format("host-port: port {} would leave the range 1 to {}", s.port, port_range::highest));
    return;
  }
  if (made.result.host_port != 0) {
    if (made.result.host_port != *mapped)
      made.refusals.push_back(fmt::format("host-port {}: a rule made it {}", *mapped, made.result.host_port));
    return;
  }
  auto moved = s;
  moved.port = *mapped;
  const auto there = *mapped == s.port ? decision() : decide(set, moved);
  if (may_move(made.result, there, s))
    made.result.host_port = *mapped;
  else
    made.refusals.push_back(
        fmt::format("host-port {}: a label cannot move a port there: {}", *mapped, there.reason.str()));
}

void narrow_peers(narrowed& made, const std::vector<std::string>& wanted) {
  auto& decided = made.result.peers;
  if (!decided) {
    decided = wanted;
    return;
  }
  for (const auto& name : wanted)
    if (!is_in(*decided, name)) made.refusals.push_back(fmt::format("peers: a rule leaves out {}", name));
  std::erase_if(*decided, [&](const std::string& name) { return !is_in(wanted, name); });
  if (!decided->empty()) return;
  made.result.ignore = true;
  made.result.reason = base::shared_text("a rule and a label of the container have no peer in common");
}

void ignore(narrowed& made, const std::string& note) {
  made.result.ignore = true;
  made.result.reason = base::shared_text("ignored by a label of the container" + (note.empty() ? "" : ": " + note));
}

bool has_effect(const actions& a) { return a.host_address || a.host_port || a.peers; }

}  // namespace

narrowed narrow(const rule_set& set, decision decided, const actions& wanted, const subject& s) {
  narrowed made{std::move(decided), {}};
  if (made.result.ignore) {
    if (has_effect(wanted)) made.refusals.push_back("the port is ignored: " + made.result.reason.str());
    return made;
  }
  if (wanted.ignore) {
    ignore(made, wanted.note);
    return made;
  }
  if (wanted.host_address) narrow_address(made, *wanted.host_address, s);
  if (wanted.peers) narrow_peers(made, *wanted.peers);
  if (wanted.host_port && !made.result.ignore) narrow_port(set, made, *wanted.host_port, s);
  return made;
}

}  // namespace rules
