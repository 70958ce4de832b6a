#include "ports/exposure_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/shared_text.hpp"
#include "net/address.hpp"
#include "net/protocol.hpp"
#include "ports/binding.hpp"
#include "ports/port_table.hpp"
#include "ports/serving.hpp"
#include "ports/sink.hpp"

namespace ports {
namespace {

constexpr std::uint16_t first_unprivileged_port = 1024;

// In non-admin mode 0.0.0.0:P and 127.0.0.1:P are one port of the host.
port_table::claims_by_key on_host(const port_table& table, network_mode mode) {
  if (mode != network_mode::non_admin) return table.ports();
  port_table::claims_by_key merged;
  for (const auto& [key, claims] : table.ports()) {
    auto& into = merged[{key.protocol, net::address::loopback_v4(), key.port}];
    into.insert(into.end(), claims.begin(), claims.end());
  }
  for (auto& [key, claims] : merged) std::ranges::sort(claims);
  return merged;
}

// The port is there for the other WSL distributions alone.
bool is_only_announced(const std::vector<claim>& claims) {
  return std::ranges::all_of(claims, [](const claim& c) { return c.what.served == serving::announced; });
}

// Where the port answers inside the VM, if not at every one of its IPv4 addresses.
struct single_address {
  const claim* by = nullptr;
  port_key key;
};

bool has_one_address(const claim& c) { return answers_at_its_address(c.what.served); }

// An engine that publishes at `::` and not at 0.0.0.0 takes IPv6 alone. Of a socket the kernel says what it takes.
bool takes_ipv6_alone(const claim& c) {
  const bool by_engine = !is_socket(c.what.served) && c.what.host_address.is_v6();
  return c.what.host_address.is_unspecified() && (by_engine || c.what.served == serving::ipv6_listener);
}

port_key address_inside(const claim& c) {
  auto key = raw_key(c.what);
  if (takes_ipv6_alone(c)) key.address = net::address::loopback_v6();
  return key;
}

std::optional<single_address> find_single_address(const std::vector<claim>& claims) {
  std::optional<single_address> found;
  for (const auto& c : claims) {
    if (!has_one_address(c)) continue;
    if (c.what.host_address.is_unspecified() && !takes_ipv6_alone(c)) return std::nullopt;
    if (!found) found = {&c, address_inside(c)};
  }
  return found;
}

// The Service that alone claims the port. kube-proxy may answer at the machine's primary address only, so the loopback
// sink brings other peers there; a claim of every address needs no help.
const claim* find_service(const std::vector<claim>& claims) {
  const claim* found = nullptr;
  for (const auto& c : claims) {
    if (c.what.served == serving::announced) continue;
    if (c.what.served != serving::every_address) return nullptr;
    if (found == nullptr) found = &c;
  }
  return found;
}

bool is_localhost(const net::address& a) {
  return a == net::address::loopback_v4() || a == net::address::loopback_v6();
}

// One container at two addresses is one target; so is a server that listens on localhost in both families.
bool same_target(const claim& a, const claim& b) {
  if (address_inside(a) == address_inside(b)) return true;
  if (a.source != b.source) return false;
  if (!is_socket(a.what.served)) return a.what.owner == b.what.owner;
  return is_localhost(address_inside(a).address) && is_localhost(address_inside(b).address);
}

// Claims of the port that would have to be served from another address inside the VM than the one that is.
std::vector<claim> take_shadowed(std::vector<claim>& claims) {
  const auto served = find_single_address(claims);
  if (!served) return {};
  const claim winner = *served->by;
  const auto loses = [&](const claim& c) { return has_one_address(c) && !same_target(c, winner); };
  std::vector<claim> shadowed;
  std::ranges::copy_if(claims, std::back_inserter(shadowed), loses);
  std::erase_if(claims, loses);
  return shadowed;
}

bool has_listener(const std::vector<claim>& claims) {
  return std::ranges::any_of(claims, [](const claim& c) { return has_listener(c.what.served); });
}

// A socket's claim leaves container port and owner empty. Any other source that claims the port knows them better, and
// with empty fields nothing is sent again when that claim comes or goes.
std::uint16_t container_port(const claim& c) {
  return is_socket(c.what.served) ? std::uint16_t{0} : c.what.container_port;
}
base::shared_text owner(const claim& c) { return is_socket(c.what.served) ? base::shared_text{} : c.what.owner; }

bool is_restricted(const planned_port& port, const exposure_options& options) {
  return options.mode == network_mode::non_admin && options.restrict_privileged_ports &&
         port.key.port < first_unprivileged_port && !is_only_announced(port.claims);
}

void judge(planned_port& port, const port_table::claims_by_key& all, const exposure_options& options) {
  const auto decide = [&port](verdict decision, std::string reason) {
    port.decision = decision;
    port.reason = std::move(reason);
  };
  const port_key wildcard{port.key.protocol, net::address::any_v4(), port.key.port};
  if (port.key.protocol == net::protocol::sctp) return decide(verdict::unsupported, "SCTP is not forwarded");
  if (is_restricted(port, options))
    return decide(verdict::restricted, "ports below 1024 need an installation with administrator rights");
  if (port.key != wildcard && all.contains(wildcard)) decide(verdict::covered, "answered by " + to_string(wildcard));
}

void add_forwards(exposure_plan& plan, planned_port& port, network_mode mode) {
  const auto& winner = port.claims.front();
  const bool by_message = mode == network_mode::privileged_service;
  const forward described{port.key, container_port(winner), winner.source, {}};
  const forward numbered{port.key, 0, winner.source, {}};
  if (!is_only_announced(port.claims)) plan.host[port.key] = by_message ? described : numbered;
  if (!by_message) plan.wsl[port.key] = described;
  if (port.key.protocol == net::protocol::tcp && !has_listener(port.claims)) plan.listeners[port.key] = numbered;
  const auto* service = find_service(port.claims);
  if (service != nullptr && !by_message) {
    const port_key everywhere{port.key.protocol, net::address::any_v4(), port.key.port};
    plan.loopback[everywhere] = {everywhere, 0, service->source, service->what.owner, service->what.served};
  }
  const auto single = find_single_address(port.claims);
  if (!single) return;
  port.bound = single->key;
  const auto& by = *single->by;
  plan.loopback[single->key] = {single->key, container_port(by), winner.source, owner(by), by.what.served};
}

std::string name_of(const binding& b) { return b.owner_name.empty() ? b.owner.str() : b.owner_name.str(); }

// Only a port with a single address shadows others.
void add_shadowed(exposure_plan& plan, const planned_port& served, const std::vector<claim>& shadowed) {
  const auto single = find_single_address(served.claims);
  if (!single) return;
  const auto reason = fmt::format("{} on the host leads to {} of {}", to_string(served.key),
                                  single->key.address.to_string(), name_of(single->by->what));
  std::map<port_key, std::vector<claim>> by_address;
  for (const auto& c : shadowed) by_address[raw_key(c.what)].push_back(c);
  for (auto& [key, claims] : by_address)
    plan.ports.push_back({.key = key, .claims = std::move(claims), .decision = verdict::shadowed, .reason = reason});
}

void plan_port(exposure_plan& plan, planned_port port, const port_table::claims_by_key& all,
               const exposure_options& options) {
  judge(port, all, options);
  if (port.decision != verdict::exposed) return plan.ports.push_back(std::move(port));
  const auto shadowed = take_shadowed(port.claims);
  add_forwards(plan, port, options.mode);
  plan.ports.push_back(port);
  if (!shadowed.empty()) add_shadowed(plan, port, shadowed);
}

}  // namespace

std::string_view to_string(network_mode mode) {
  switch (mode) {
    case network_mode::network_tunnel: return "network-tunnel";
    case network_mode::privileged_service: return "privileged-service";
    case network_mode::non_admin: break;
  }
  return "non-admin";
}

const forward_map& part_of(const exposure_plan& plan, peer_role role) {
  switch (role) {
    case peer_role::host: return plan.host;
    case peer_role::wsl: return plan.wsl;
    case peer_role::listeners: return plan.listeners;
    case peer_role::loopback: break;
  }
  return plan.loopback;
}

exposure_plan plan_exposure(const port_table& table, exposure_options options) {
  exposure_plan plan;
  const auto all = on_host(table, options.mode);
  for (const auto& [key, claims] : all) plan_port(plan, {.key = key, .claims = claims, .reason = {}}, all, options);
  return plan;
}

}  // namespace ports
