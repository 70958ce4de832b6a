#include <fmt/format.h>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "ports/reconcile_fsm.hpp"
#include "ports/retry_state.hpp"
#include "ports/source_id.hpp"
#include "programs/guest_agent/status.hpp"
#include "programs/guest_agent/status_server.hpp"

namespace guest_agent {
namespace {

void append_metric(std::string& text, std::string_view name, std::string_view help, std::string_view type = "gauge") {
  text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

std::map<std::string_view, std::size_t> count_states(const ports::reconcile_fsm& machine, ports::time_point now) {
  std::map<std::string_view, std::size_t> counts;
  for (const auto& [key, slot] : machine.slots()) ++counts[describe_slot(machine, key, now).state];
  return counts;
}

}  // namespace

std::string describe_metrics(const status_view& view) {
  std::string text;
  append_metric(text, "guestagent_source_up", "1 while the source is connected.");
  for (const auto& [id, source] : view.table->sources()) {
    if (source.enabled)
      text += fmt::format("guestagent_source_up{{source=\"{}\"}} {}\n", to_string(id),
                          source.reported && !source.trouble && source.last.doubt.empty() ? 1 : 0);
  }
  append_metric(text, "guestagent_ports", "Ports that the sources publish.");
  text += fmt::format("guestagent_ports {}\n", view.plan->ports.size());
  append_metric(text, "guestagent_peer_up", "1 while the peer can be reached.");
  for (const auto& peer : view.peers)
    text += fmt::format("guestagent_peer_up{{peer=\"{}\"}} {}\n", peer.name,
                        peer.machine->listing().failures() == 0 ? 1 : 0);
  append_metric(text, "guestagent_peer_ports", "Ports at a peer, by state.");
  for (const auto& peer : view.peers)
    for (const auto& [state, count] : count_states(*peer.machine, view.now))
      text += fmt::format("guestagent_peer_ports{{peer=\"{}\",state=\"{}\"}} {}\n", peer.name, state, count);
  return text;
}

}  // namespace guest_agent
