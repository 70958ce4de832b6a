// status: describes the agent as a status document: every source, every peer, and every port with its state at each
// peer, since when, and the reason if it is not applied. Ports that are open and no longer published are listed too.
// Pure: the caller passes the time of both clocks.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "ports/exposure_policy.hpp"
#include "ports/port_table.hpp"
#include "ports/reconcile_fsm.hpp"
#include "protocols/status_document/document.hpp"

namespace guest_agent {

struct peer_view {
  std::string_view name;
  ports::peer_role role = ports::peer_role::host;
  const ports::reconcile_fsm* machine = nullptr;
  std::string_view journal_trouble{};  // see reconciler::journal_trouble
  std::string_view limitation{};       // see ports::sink
};

struct status_view {
  std::string_view version;
  ports::network_mode mode = ports::network_mode::network_tunnel;
  const ports::port_table* table = nullptr;
  const ports::exposure_plan* plan = nullptr;
  std::vector<peer_view> peers;
  ports::time_point started;
  ports::time_point now;                           // the machines' clock
  std::chrono::system_clock::time_point wall_now;  // the same moment for people
  std::string_view rules_trouble{};                // why the file of the port rules is refused
};

[[nodiscard]] status_document::document describe(const status_view& view);

// One port at one peer: "applied", "foreign", "pending", "conflict", "refused", "retrying" or "down". A port that is no
// longer wanted may also be "removing", or "leftover" while its removal has to wait.
struct peer_port {
  std::string_view state;
  std::string reason;
};
[[nodiscard]] peer_port describe_slot(const ports::reconcile_fsm& machine, const ports::port_key& key,
                                      ports::time_point now);

// "2026-11-24T00:21:51Z"
[[nodiscard]] std::string to_utc(std::chrono::system_clock::time_point when);

}  // namespace guest_agent
