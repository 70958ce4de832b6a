#include "programs/guest_agent/status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "net/address.hpp"
#include "net/protocol.hpp"
#include "ports/binding.hpp"
#include "ports/claim_targets.hpp"
#include "ports/exposure_policy.hpp"
#include "ports/peer_listing.hpp"
#include "ports/port_table.hpp"
#include "ports/reconcile_fsm.hpp"
#include "ports/retry_state.hpp"
#include "ports/sink.hpp"
#include "ports/slot.hpp"
#include "ports/source_id.hpp"
#include "protocols/status_document/document.hpp"

namespace guest_agent {
namespace {

using ports::outcome_kind;
using ports::slot_state;

std::int64_t milliseconds_until(ports::time_point when, ports::time_point now) {
  return std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(when - now).count());
}

std::string since(const status_view& view, ports::time_point when) {
  return to_utc(view.wall_now - std::chrono::duration_cast<std::chrono::system_clock::duration>(view.now - when));
}

status_document::source describe_source(ports::source_id id, const ports::source_state& source) {
  const auto& doubt = source.last.doubt;
  const bool degraded = source.trouble || !doubt.empty();
  status_document::source shown{.name{to_string(id)},
                                .state = degraded          ? "degraded"
                                         : source.reported ? "ok"
                                                           : "waiting",
                                .bindings = source.last.bindings.size()};
  if (degraded) shown.reason = source.trouble ? source.trouble->message() : doubt;
  for (const auto& r : source.last.refusals) shown.refusals.push_back({r.owner, r.what, r.why, std::string(r.kind)});
  for (const auto& c : source.last.without_ports) shown.without_ports.push_back({c.owner.str(), c.owner_name.str()});
  shown.more_without_ports = source.last.more_without_ports;
  return shown;
}

// At a peer that works.
std::string what_is_lacking(const peer_view& peer) {
  if (peer.journal_trouble.empty()) return std::string(peer.limitation);
  return fmt::format("{}{}a crash may leave ports open, the journal is not written: {}", peer.limitation,
                     peer.limitation.empty() ? "" : "; ", peer.journal_trouble);
}

status_document::peer describe_peer(const status_view& view, const peer_view& peer) {
  const auto& machine = *peer.machine;
  const auto applied = std::ranges::count_if(machine.slots(), [](const auto& item) {
    return item.second.state() == slot_state::ours || item.second.state() == slot_state::foreign;
  });
  status_document::peer shown{
      .name{peer.name}, .reason = what_is_lacking(peer), .applied = static_cast<std::uint64_t>(applied)};
  const bool degraded = !shown.reason.empty();
  const auto& trouble = machine.listing().trouble();
  if (!trouble) {
    shown.state = degraded ? "degraded" : to_string(machine.listing().status());
    return shown;
  }
  shown.state = "down";
  shown.reason = trouble->message() + (degraded ? "; " : "") + shown.reason;
  shown.retry_in_ms = milliseconds_until(machine.listing().not_before(), view.now);
  return shown;
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

const ports::slot* slot_of(const ports::reconcile_fsm& machine, const ports::port_key& key) {
  const auto at = machine.slots().find(key);
  return at == machine.slots().end() ? nullptr : &at->second;
}

status_document::peer_port describe_port_at(const status_view& view, const peer_view& peer,
                                            const ports::port_key& key) {
  auto [state, reason] = describe_slot(*peer.machine, key, view.now);
  status_document::peer_port shown{.name{peer.name}, .state{state}, .reason = std::move(reason)};
  const auto* slot = slot_of(*peer.machine, key);
  if (slot == nullptr) return shown;
  if (state == "applied" || state == "foreign") shown.since = since(view, slot->since());
  const bool timed = slot->retry.trouble || state == "leftover";
  if (timed && slot->retry.not_before > view.now)
    shown.retry_in_ms = milliseconds_until(slot->retry.not_before, view.now);
  return shown;
}

status_document::claim describe_claim(const ports::claim& c) {
  return {std::string(to_string(c.source)), c.what.owner.str(), c.what.owner_name.str(),
          c.what.host_address.to_string(), c.what.container_port};
}

std::string_view to_text(ports::verdict decision) {
  switch (decision) {
    case ports::verdict::exposed: return "exposed";
    case ports::verdict::covered: return "covered";
    case ports::verdict::restricted: return "restricted";
    case ports::verdict::shadowed: return "shadowed";
    case ports::verdict::ignored: return "ignored";
    case ports::verdict::unsupported: break;
  }
  return "unsupported";
}

status_document::port describe_key(const ports::port_key& key) {
  return {.protocol{to_string(key.protocol)}, .address = key.address.to_string(), .number = key.port};
}

// Where the port answers inside the VM, if the agent serves it.
std::string address_inside(const ports::planned_port& port) {
  if (port.decision != ports::verdict::exposed || ports::is_only_announced(port.claims)) return {};
  return (port.bound ? port.bound->address : net::address::any_v4()).to_string();
}

status_document::port describe_port(const status_view& view, const ports::planned_port& port) {
  const auto& winner = port.claims.front();
  auto shown = describe_key(port.key);
  shown.container_port = winner.what.container_port;
  shown.source = to_string(winner.source);
  shown.owner = winner.what.owner.str();
  shown.name = winner.what.owner_name.str();
  shown.decision = to_text(port.decision);
  shown.reason = port.reason;
  shown.rule = port.rule.str();
  if (winner.what.host_port != port.key.port) shown.guest_port = winner.what.host_port;
  shown.guest_address = address_inside(port);
  for (const auto& c : port.claims) shown.claims.push_back(describe_claim(c));
  for (const auto& peer : view.peers)
    if (const auto key = key_at(*view.plan, port, peer.role)) shown.peers.push_back(describe_port_at(view, peer, *key));
  return shown;
}

// Exposed by us, certainly or possibly, and no longer wanted.
bool is_leftover(const ports::slot& s) { return !s.wanted && s.may_be_ours(); }

// A rule may have moved the port, or ignore it now.
bool is_published_inside(const status_view& view, net::protocol protocol, std::uint16_t port) {
  return std::ranges::any_of(view.plan->ports, [&](const ports::planned_port& p) {
    return p.key.protocol == protocol &&
           std::ranges::any_of(p.claims, [&](const ports::claim& c) { return c.what.host_port == port; });
  });
}

// Fields that no peer knows stay empty.
status_document::port describe_leftover(const status_view& view, const ports::port_key& key) {
  auto shown = describe_key(key);
  shown.decision = status_document::leftover_decision;
  bool published = false;
  for (const auto& peer : view.peers) {
    const auto* slot = slot_of(*peer.machine, key);
    if (slot == nullptr || !is_leftover(*slot)) continue;
    shown.source = to_string(slot->applied()->source);
    if (slot->applied()->container_port != 0) shown.container_port = slot->applied()->container_port;
    if (!slot->applied()->owner.empty()) shown.owner = slot->applied()->owner.str();
    published = published || is_published_inside(view, key.protocol, slot->applied()->port_inside());
    shown.peers.push_back(describe_port_at(view, peer, key));
  }
  shown.reason = fmt::format("no longer {}, and may still be open", published ? "wanted there" : "published");
  return shown;
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
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(when - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

peer_port describe_slot(const ports::reconcile_fsm& machine, const ports::port_key& key, ports::time_point now) {
  const auto* slot = slot_of(machine, key);
  if (slot != nullptr && slot->in_flight == ports::verb::remove) return {"removing", {}};
  if (slot != nullptr && slot->state() == slot_state::foreign)
    return {"foreign", "the peer had this forward already; it will not be removed"};
  if (const auto& trouble = machine.listing().trouble()) return {"down", trouble->message()};
  if (slot == nullptr) return {"pending", {}};
  if (slot->retry.trouble) return {trouble_state(slot->retry.trouble->kind), slot->retry.trouble->reason};
  if (is_leftover(*slot)) {
    if (slot->from() != ports::origin::this_run)
      return {"leftover", "of an earlier run; stays until it is known what is published now"};
    if (slot->state() == slot_state::uncertain) return {"leftover", "an earlier request may still be carried out"};
    return {"removing", machine.waits_for(key, now)};
  }
  if (slot->state() == slot_state::ours) return {"applied", {}};
  return {"pending", machine.waits_for(key, now)};
}

status_document::document describe(const status_view& view) {
  status_document::document d{.version{view.version},
                              .mode{to_string(view.mode)},
                              .started = since(view, view.started),
                              .now = to_utc(view.wall_now),
                              .rules_trouble{view.rules_trouble}};
  for (const auto& [id, source] : view.table->sources())
    if (source.enabled) d.sources.push_back(describe_source(id, source));
  for (const auto& peer : view.peers) d.peers.push_back(describe_peer(view, peer));
  for (const auto& port : view.plan->ports) d.ports.push_back(describe_port(view, port));
  for (const auto& key : leftovers(view)) d.ports.push_back(describe_leftover(view, key));
  return d;
}

}  // namespace guest_agent
