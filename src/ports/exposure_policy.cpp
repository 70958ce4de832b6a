#include "ports/exposure_policy.hpp"

#include <algorithm>

namespace ports {
namespace {

constexpr std::uint16_t first_unprivileged_port = 1024;

// In non-admin mode 0.0.0.0:P and 127.0.0.1:P are one port of the host.
port_table::claims_by_key on_host(const port_table& table, network_mode mode) {
  if (mode == network_mode::network_tunnel) return table.ports();
  port_table::claims_by_key merged;
  for (const auto& [key, claims] : table.ports()) {
    auto& into = merged[{key.protocol, net::address::loopback_v4(), key.port}];
    into.insert(into.end(), claims.begin(), claims.end());
  }
  for (auto& [key, claims] : merged) std::ranges::sort(claims);
  return merged;
}

void judge(planned_port& port, const port_table::claims_by_key& all, network_mode mode) {
  const auto decide = [&port](verdict decision, std::string reason) {
    port.decision = decision;
    port.reason = std::move(reason);
  };
  const port_key wildcard{port.key.protocol, net::address::any_v4(), port.key.port};
  if (port.key.protocol == net::protocol::sctp) return decide(verdict::unsupported, "SCTP is not forwarded");
  if (mode == network_mode::non_admin && port.key.port < first_unprivileged_port)
    return decide(verdict::restricted, "ports below 1024 need an installation with administrator rights");
  if (port.key != wildcard && all.contains(wildcard)) decide(verdict::covered, "answered by " + to_string(wildcard));
}

void add_forwards(exposure_plan& plan, const planned_port& port) {
  const auto& winner = port.claims.front();
  plan.host[port.key] = {port.key, 0, winner.source, {}};
  plan.wsl[port.key] = {port.key, winner.what.container_port, winner.source, {}};
  if (winner.what.host_address.is_unspecified()) return;
  const auto raw = raw_key(winner.what);
  plan.loopback[raw] = {raw, winner.what.container_port, winner.source, winner.what.owner};
}

}  // namespace

std::string_view to_string(network_mode mode) {
  return mode == network_mode::network_tunnel ? "network-tunnel" : "non-admin";
}

exposure_plan plan_exposure(const port_table& table, network_mode mode) {
  exposure_plan plan;
  const auto all = on_host(table, mode);
  for (const auto& [key, claims] : all) {
    auto& port = plan.ports.emplace_back(planned_port{key, claims, verdict::exposed, {}});
    judge(port, all, mode);
    if (port.decision == verdict::exposed) add_forwards(plan, port);
  }
  return plan;
}

}  // namespace ports
