#include "programs/guest_agent/status.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

namespace guest_agent {
namespace {

using ports::outcome_kind;
using ports::peer_role;
using ports::slot_state;

std::int64_t milliseconds_until(ports::time_point when, ports::time_point now) {
  return std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(when - now).count());
}

std::string since(const status_view& view, ports::time_point when) {
  return to_utc(view.wall_now - std::chrono::duration_cast<std::chrono::system_clock::duration>(view.now - when));
}

json::object describe_source(ports::source_id id, const ports::source_state& source) {
  json::object o;
  o["name"] = to_string(id);
  const auto& doubt = source.last.doubt;
  o["state"] = source.trouble || !doubt.empty() ? "degraded" : source.reported ? "ok" : "waiting";
  if (source.trouble || !doubt.empty()) o["reason"] = source.trouble ? source.trouble->message() : doubt;
  o["bindings"] = source.last.bindings.size();
  json::array refusals;
  for (const auto& r : source.last.refusals) refusals.push_back({{"owner", r.owner}, {"what", r.what}, {"why", r.why}});
  o["refusals"] = std::move(refusals);
  return o;
}

json::object describe_peer(const status_view& view, const peer_view& peer) {
  const auto& machine = *peer.machine;
  const bool down = machine.peer_failures() > 0;
  json::object o;
  o["name"] = peer.name;
  o["state"] = down ? "down" : to_string(machine.status());
  if (down) {
    o["reason"] = machine.peer_trouble()->message();
    o["retry_in_ms"] = milliseconds_until(machine.peer_retry_at(), view.now);
  }
  o["applied"] = std::ranges::count_if(machine.slots(), [](const auto& item) {
    return item.second.state == slot_state::ours || item.second.state == slot_state::foreign;
  });
  return o;
}

std::string_view trouble_state(outcome_kind kind) {
  switch (kind) {
    case outcome_kind::conflict:
    case outcome_kind::exists: return "conflict";
    case outcome_kind::refused: return "refused";
    case outcome_kind::done:
    case outcome_kind::unknown:
    case outcome_kind::unsent: break;
  }
  return "retrying";
}

// Nothing: the peer is not meant to have the port.
std::optional<ports::port_key> key_at(peer_role role, const ports::exposure_plan& plan,
                                      const ports::planned_port& port) {
  if (role == peer_role::loopback) return port.bound;
  return part_of(plan, role).contains(port.key) ? std::optional(port.key) : std::nullopt;
}

const ports::reconcile_fsm::slot* slot_of(const ports::reconcile_fsm& machine, const ports::port_key& key) {
  const auto at = machine.slots().find(key);
  return at == machine.slots().end() ? nullptr : &at->second;
}

json::object describe_port_at(const status_view& view, const peer_view& peer, const ports::port_key& key) {
  const auto told = describe_slot(*peer.machine, key, view.now);
  const auto* slot = slot_of(*peer.machine, key);
  json::object o;
  o["name"] = peer.name;
  o["state"] = told.state;
  if (!told.reason.empty()) o["reason"] = told.reason;
  if (slot == nullptr) return o;
  if (told.state == "applied" || told.state == "foreign") o["since"] = since(view, slot->since);
  const bool timed = slot->trouble || told.state == "leftover";
  if (timed && slot->not_before > view.now) o["retry_in_ms"] = milliseconds_until(slot->not_before, view.now);
  return o;
}

json::object describe_claim(const ports::claim& c) {
  return {{"source", to_string(c.source)},
          {"owner", c.what.owner},
          {"name", c.what.owner_name},
          {"address", c.what.host_address.to_string()},
          {"container_port", c.what.container_port}};
}

std::string_view to_text(ports::verdict decision) {
  switch (decision) {
    case ports::verdict::exposed: return "exposed";
    case ports::verdict::covered: return "covered";
    case ports::verdict::restricted: return "restricted";
    case ports::verdict::shadowed: return "shadowed";
    case ports::verdict::unsupported: break;
  }
  return "unsupported";
}

json::object describe_port(const status_view& view, const ports::planned_port& port) {
  const auto& winner = port.claims.front();
  json::object o{{"protocol", to_string(port.key.protocol)},
                 {"address", port.key.address.to_string()},
                 {"port", port.key.port},
                 {"container_port", winner.what.container_port},
                 {"source", to_string(winner.source)},
                 {"owner", winner.what.owner},
                 {"name", winner.what.owner_name},
                 {"decision", to_text(port.decision)}};
  if (!port.reason.empty()) o["reason"] = port.reason;
  json::array claims;
  for (const auto& c : port.claims) claims.push_back(describe_claim(c));
  o["claims"] = std::move(claims);
  json::array peers;
  if (port.decision == ports::verdict::exposed)
    for (const auto& peer : view.peers)
      if (const auto key = key_at(peer.role, *view.plan, port)) peers.push_back(describe_port_at(view, peer, *key));
  o["peers"] = std::move(peers);
  return o;
}

// What may be open at a peer by us although nobody wants it there.
bool is_leftover(const ports::reconcile_fsm::slot& s) {
  return !s.wanted && (s.state == slot_state::ours || s.state == slot_state::maybe);
}

// What no peer knows of the port is left out.
json::object describe_leftover(const status_view& view, const ports::port_key& key) {
  json::object o{{"protocol", to_string(key.protocol)},
                 {"address", key.address.to_string()},
                 {"port", key.port},
                 {"decision", "leftover"},
                 {"reason", "no longer published, and may still be open"},
                 {"claims", json::array()}};
  json::array peers;
  for (const auto& peer : view.peers) {
    const auto* slot = slot_of(*peer.machine, key);
    if (slot == nullptr || !is_leftover(*slot)) continue;
    o["source"] = to_string(slot->applied->source);
    if (slot->applied->container_port != 0) o["container_port"] = slot->applied->container_port;
    if (!slot->applied->owner.empty()) o["owner"] = slot->applied->owner;
    peers.push_back(describe_port_at(view, peer, key));
  }
  o["peers"] = std::move(peers);
  return o;
}

std::set<ports::port_key> leftovers(const status_view& view) {
  std::set<ports::port_key> keys;
  for (const auto& peer : view.peers)
    for (const auto& [key, slot] : peer.machine->slots())
      if (is_leftover(slot)) keys.insert(key);
  return keys;
}

}  // namespace

std::string to_utc(std::chrono::system_clock::time_point when) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(when)));
}

peer_port describe_slot(const ports::reconcile_fsm& machine, const ports::port_key& key, ports::time_point now) {
  const auto* slot = slot_of(machine, key);
  if (slot != nullptr && slot->in_flight == ports::verb::remove) return {"removing", {}};
  if (slot != nullptr && slot->state == slot_state::foreign)
    return {"foreign", "the peer had this forward already; it will not be removed"};
  if (machine.peer_failures() > 0) return {"down", machine.peer_trouble()->message()};
  if (slot == nullptr) return {"pending", {}};
  if (slot->trouble) return {trouble_state(slot->trouble->kind), slot->trouble->reason};
  if (is_leftover(*slot)) {
    if (slot->remembered) return {"leftover", "of an earlier run; stays until it is known what is published now"};
    if (slot->state == slot_state::maybe) return {"leftover", "an earlier request may still be carried out"};
    return {"removing", machine.waits_for(key, now)};
  }
  if (slot->state == slot_state::ours) return {"applied", {}};
  return {"pending", machine.waits_for(key, now)};
}

json::object describe(const status_view& view) {
  json::object o;
  o["version"] = view.version;
  o["mode"] = to_string(view.mode);
  o["started"] = since(view, view.started);
  o["now"] = to_utc(view.wall_now);
  json::array sources, peers, ports;
  for (const auto& [id, source] : view.table->sources())
    if (source.enabled) sources.push_back(describe_source(id, source));
  for (const auto& peer : view.peers) peers.push_back(describe_peer(view, peer));
  for (const auto& port : view.plan->ports) ports.push_back(describe_port(view, port));
  for (const auto& key : leftovers(view)) ports.push_back(describe_leftover(view, key));
  o["sources"] = std::move(sources);
  o["peers"] = std::move(peers);
  o["ports"] = std::move(ports);
  return o;
}

}  // namespace guest_agent
