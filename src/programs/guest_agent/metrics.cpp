#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "ports/peer_counters.hpp"
#include "ports/port_table.hpp"
#include "ports/reconcile_fsm.hpp"
#include "ports/retry_state.hpp"
#include "ports/sink.hpp"
#include "ports/source_id.hpp"
#include "program/metrics_text.hpp"
#include "programs/guest_agent/status.hpp"
#include "programs/guest_agent/status_server.hpp"

namespace guest_agent {
namespace {

using program::metric_kind;
using program::metrics_text;

// Each state has its line, also without a port in it: a graph then shows zero and not a gap.
constexpr std::array<std::string_view, 9> states{"applied",  "foreign", "pending",  "conflict", "refused",
                                                 "retrying", "down",    "removing", "leftover"};

using state_counts = std::map<std::string_view, std::size_t>;
state_counts count_states(const ports::reconcile_fsm& machine, ports::time_point now) {
  state_counts counts;
  for (const auto state : states) counts[state] = 0;
  for (const auto& [key, slot] : machine.slots()) ++counts[describe_slot(machine, key, now).state];
  return counts;
}

void add_agent(metrics_text& to, const status_view& view) {
  to.begin("guestagent_build_info", metric_kind::gauge, "The version of the agent; its value is 1.");
  to.add({{"version", view.version}}, 1);
  const auto started = view.wall_now.time_since_epoch() - (view.now - view.started);
  to.begin("guestagent_start_time_seconds", metric_kind::gauge, "When the agent started, in seconds since 1970.");
  to.add({}, std::chrono::duration<double>(started).count());
  to.begin("guestagent_ports", metric_kind::gauge, "Ports that the sources publish.");
  to.add({}, static_cast<double>(view.plan->ports.size()));
}

// One line for each enabled source.
template <class Value>
void add_for_sources(metrics_text& to, const status_view& view, Value value) {
  for (const auto& [id, source] : view.table->sources())
    if (source.enabled) to.add({{"source", to_string(id)}}, static_cast<double>(value(source)));
}

void add_sources(metrics_text& to, const status_view& view) {
  to.begin("guestagent_source_up", metric_kind::gauge, "1 while the source is connected and misses nothing.");
  add_for_sources(
      to, view, [](const ports::source_state& s) { return s.reported && !s.trouble && s.last.doubt.empty() ? 1 : 0; });
  to.begin("guestagent_source_bindings", metric_kind::gauge, "Ports that the source publishes.");
  add_for_sources(to, view, [](const ports::source_state& s) { return s.last.bindings.size(); });
  to.begin("guestagent_source_refusals", metric_kind::gauge, "Ports and objects that the source does not publish.");
  add_for_sources(to, view, [](const ports::source_state& s) { return s.last.refusals.size(); });
}

template <class Value>
void add_for_peers(metrics_text& to, const status_view& view, Value value) {
  for (const auto& peer : view.peers) to.add({{"peer", peer.name}}, static_cast<double>(value(*peer.machine)));
}

void add_operations(metrics_text& to, const status_view& view) {
  using ports::outcome_kind;
  using ports::verb;
  to.begin("guestagent_peer_operations_total", metric_kind::counter, "Requests to the peer, by their outcome.");
  for (const auto& peer : view.peers)
    for (const auto what : {verb::add, verb::remove})
      for (const auto kind : ports::all_outcomes)
        to.add({{"peer", peer.name},
                {"operation", what == verb::add ? "expose" : "unexpose"},
                {"outcome", ports::to_string(kind)}},
               static_cast<double>(peer.machine->counters().count(what, kind)));
  to.begin("guestagent_peer_conflicts_total", metric_kind::counter,
           "Answers of the peer that another program has the port.");
  add_for_peers(to, view, [](const ports::reconcile_fsm& m) {
    return m.counters().count(verb::add, outcome_kind::conflict) + m.counters().count(verb::add, outcome_kind::exists);
  });
  to.begin("guestagent_peer_retries_total", metric_kind::counter, "Requests for a port whose last request had failed.");
  add_for_peers(to, view, [](const ports::reconcile_fsm& m) { return m.counters().retries; });
}

void add_peers(metrics_text& to, const status_view& view) {
  to.begin("guestagent_peer_up", metric_kind::gauge, "1 while the peer can be reached.");
  add_for_peers(to, view, [](const ports::reconcile_fsm& m) { return m.listing().failures() == 0 ? 1 : 0; });
  to.begin("guestagent_peer_ports", metric_kind::gauge, "Ports at the peer, by state.");
  for (const auto& peer : view.peers)
    for (const auto& [state, count] : count_states(*peer.machine, view.now))
      to.add({{"peer", peer.name}, {"state", state}}, static_cast<double>(count));
  add_operations(to, view);
  to.begin("guestagent_exposure_seconds", metric_kind::histogram,
           "From the publication of a port by its source to the answer of the peer that now holds it.");
  for (const auto& peer : view.peers) {
    const auto& exposures = peer.machine->counters().exposures;
    to.add_histogram({{"peer", peer.name}}, exposures.bounds, exposures.counts, exposures.sum);
  }
}

}  // namespace

std::string describe_metrics(const status_view& view) {
  metrics_text text;
  add_agent(text, view);
  add_sources(text, view);
  add_peers(text, view);
  return text.take();
}

}  // namespace guest_agent
