// What each peer is to hold of a plan.
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "net/address.hpp"
#include "net/protocol.hpp"
#include "ports/binding.hpp"
#include "ports/claim_targets.hpp"
#include "ports/exposure_policy.hpp"
#include "ports/port_table.hpp"
#include "ports/sink.hpp"

namespace ports {
namespace {

// Ports go by messages instead of requests to host-switch, and to the privileged service alone.
bool goes_by_message(const exposure_plan& plan) { return plan.mode == network_mode::privileged_service; }

bool is_remapped(const planned_port& port) { return port_inside(port.claims) != port.key.port; }

// Whether the part has the port.
bool is_in(const planned_port& port, peer_role role) {
  switch (role) {
    case peer_role::host: return port.on_host;
    case peer_role::wsl: return port.for_wsl;
    case peer_role::listeners:
      return port.on_host && port.key.protocol == net::protocol::tcp && !has_listener(port.claims) &&
             !is_remapped(port);
    case peer_role::loopback: break;
  }
  return port.on_host || port.for_wsl;
}

// wsl-proxy connects to the port that it opens, so no rule gives it another address or number.
port_key key_in(const exposure_plan& plan, const planned_port& port, peer_role role) {
  if (role != peer_role::wsl) return port.key;
  return key_for_wsl(plan.mode, port.claims);
}

forward forward_of(const exposure_plan& plan, const planned_port& port, peer_role role) {
  const auto& winner = port.claims.front();
  const bool described = role == peer_role::wsl || (role == peer_role::host && goes_by_message(plan));
  const bool moved = role != peer_role::wsl && is_remapped(port);
  return {.key = key_in(plan, port, role),
          .container_port = described ? container_port(winner) : std::uint16_t{0},
          .source = winner.source,
          .not_before = port.not_before,
          .remapped_from = moved ? port_inside(port.claims) : std::uint16_t{0}};
}

void add_loopback(forward_map& part, const exposure_plan& plan, const planned_port& port) {
  const auto* service = find_service(port.claims);
  if (service != nullptr && !goes_by_message(plan)) {
    const port_key everywhere{port.key.protocol, net::address::any_v4(), port_inside(port.claims)};
    part[everywhere] = {everywhere, 0, service->source, service->what.owner, service->what.served};
  }
  const auto single = find_single_address(port.claims);
  if (!single) return;
  const auto& by = *single->by;
  part[single->key] = {single->key, container_port(by), port.claims.front().source, owner(by), by.what.served};
}

}  // namespace

forward_map part_of(const exposure_plan& plan, peer_role role) {
  forward_map part;
  for (const auto& port : plan.ports) {
    if (!is_in(port, role)) continue;
    if (role == peer_role::loopback) {
      add_loopback(part, plan, port);
    } else {
      auto made = forward_of(plan, port, role);
      const auto key = made.key;
      part.emplace_hint(part.end(), key, std::move(made));
    }
  }
  return part;
}

std::optional<port_key> key_at(const exposure_plan& plan, const planned_port& port, peer_role role) {
  if (role == peer_role::loopback) return port.bound;
  return is_in(port, role) ? std::optional(key_in(plan, port, role)) : std::nullopt;
}

}  // namespace ports
