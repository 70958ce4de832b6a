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
#include "ports/placement.hpp"
#include "ports/port_table.hpp"
#include "ports/rule_names.hpp"
#include "ports/serving.hpp"
#include "ports/sink.hpp"

namespace ports {
namespace {

constexpr std::uint16_t first_unprivileged_port = 1024;

using placed_ports = std::map<port_key, placed_port>;

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

template <class Condition>
std::vector<claim> take_if(std::vector<claim>& claims, Condition loses) {
  std::vector<claim> taken;
  std::ranges::copy_if(claims, std::back_inserter(taken), loses);
  std::erase_if(claims, loses);
  return taken;
}

std::uint16_t port_inside(const std::vector<claim>& claims) { return claims.front().what.host_port; }

// Claims of the port that would have to be served from another port inside the VM than the one that is.
std::vector<claim> take_other_ports(std::vector<claim>& claims) {
  return take_if(claims, [inside = port_inside(claims)](const claim& c) { return c.what.host_port != inside; });
}

// The same of another address.
std::vector<claim> take_other_addresses(std::vector<claim>& claims) {
  const auto served = find_single_address(claims);
  if (!served) return {};
  const claim winner = *served->by;
  return take_if(claims, [&](const claim& c) { return has_one_address(c) && !same_target(c, winner); });
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

// What a placed port is at the peers: whether it is left to them, and which number it has inside the VM.
struct served_port {
  bool on_host, for_wsl;
  std::uint16_t inside;
};

std::string_view host_peer(network_mode mode) {
  return mode == network_mode::privileged_service ? privileged_service_name : host_switch_name;
}

served_port served(const placed_port& placed, network_mode mode) {
  return {.on_host = allows(placed.by, host_peer(mode)),
          .for_wsl = mode != network_mode::privileged_service && allows(placed.by, wsl_proxy_name),
          .inside = placed.inside};
}

// Where the wildcard is open, the host refuses another address of the port.
void judge_beside_wildcard(planned_port& port, const served_port& here, const served_port& wildcard,
                           const port_key& at) {
  if ((here.on_host && !wildcard.on_host) || (here.for_wsl && !wildcard.for_wsl)) return;
  const bool same = here.inside == wildcard.inside;
  port.decision = same ? verdict::covered : verdict::shadowed;
  port.reason = same ? "answered by " + to_string(at)
                     : fmt::format("{} on the host leads to port {}", to_string(at), wildcard.inside);
}

void judge(planned_port& port, const served_port& here, const placed_ports& all, const exposure_options& options) {
  const auto decide = [&port](verdict decision, std::string reason) {
    port.decision = decision;
    port.reason = std::move(reason);
  };
  if (port.key.protocol == net::protocol::sctp) return decide(verdict::unsupported, "SCTP is not forwarded");
  if (options.mode == network_mode::privileged_service && here.inside != port.key.port)
    return decide(verdict::unsupported, "the privileged service opens a port under its own number alone");
  if (is_restricted(port, options))
    return decide(verdict::restricted, "ports below 1024 need an installation with administrator rights");
  if (!here.on_host && !here.for_wsl) return decide(verdict::ignored, "the rule leaves it to no peer of this mode");
  const auto wildcard = all.find({port.key.protocol, net::address::any_v4(), port.key.port});
  if (wildcard != all.end() && wildcard->first != port.key)
    judge_beside_wildcard(port, here, served(wildcard->second, options.mode), wildcard->first);
}

// Ports go by messages instead of requests to host-switch, and to the privileged service alone.
bool goes_by_message(const exposure_plan& plan) { return plan.mode == network_mode::privileged_service; }

bool is_remapped(const planned_port& port) { return port_inside(port.claims) != port.key.port; }

// Whether the part has an exposed port.
bool is_in(const exposure_plan& plan, const planned_port& port, peer_role role) {
  switch (role) {
    case peer_role::host: return port.on_host && !is_only_announced(port.claims);
    case peer_role::wsl: return port.for_wsl && !goes_by_message(plan);
    case peer_role::listeners:
      return port.on_host && port.key.protocol == net::protocol::tcp && !has_listener(port.claims) &&
             !is_remapped(port);
    case peer_role::loopback: break;
  }
  return false;
}

// wsl-proxy connects to the port that it opens, so no rule gives it another address or number.
port_key key_in(const exposure_plan& plan, const planned_port& port, peer_role role) {
  if (role != peer_role::wsl) return port.key;
  auto key = host_key(port.claims.front().what);
  if (plan.mode == network_mode::non_admin) key.address = net::address::loopback_v4();
  return key;
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

std::string name_of(const binding& b) { return b.owner_name.empty() ? b.owner.str() : b.owner_name.str(); }

// Where the port of the host leads, for the owner of one that loses it.
std::string describe_target(const planned_port& served) {
  const auto single = find_single_address(served.claims);
  const auto& winner = single ? *single->by : served.claims.front();
  const auto inside = single ? single->key.address.to_string() : fmt::format("port {}", winner.what.host_port);
  return fmt::format("{} on the host leads to {} of {}", to_string(served.key), inside, name_of(winner.what));
}

void add_shadowed(exposure_plan& plan, const std::vector<claim>& shadowed, const std::string& reason) {
  std::map<port_key, std::vector<claim>> by_address;
  for (const auto& c : shadowed) by_address[raw_key(c.what)].push_back(c);
  for (auto& [key, claims] : by_address)
    plan.ports.push_back({.key = key, .claims = std::move(claims), .decision = verdict::shadowed, .reason = reason});
}

std::optional<std::uint32_t> number_of(const rules::decision& by) {
  return by.rule ? std::optional(static_cast<std::uint32_t>(*by.rule)) : std::nullopt;
}

void plan_port(exposure_plan& plan, const port_key& key, placed_port& placed, const placed_ports& all,
               const exposure_options& options) {
  const auto here = served(placed, options.mode);
  planned_port port{.key = key,
                    .claims = std::move(placed.claims),
                    .reason = {},
                    .rule = placed.by.reason,
                    .rule_number = number_of(placed.by),
                    .on_host = here.on_host,
                    .for_wsl = here.for_wsl};
  auto shadowed = take_other_ports(port.claims);
  judge(port, here, all, options);
  if (port.decision == verdict::exposed) {
    std::ranges::move(take_other_addresses(port.claims), std::back_inserter(shadowed));
    if (const auto single = find_single_address(port.claims)) port.bound = single->key;
  }
  const auto reason = shadowed.empty() ? "" : describe_target(port);
  plan.ports.push_back(std::move(port));
  if (!shadowed.empty()) add_shadowed(plan, shadowed, reason);
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

forward_map part_of(const exposure_plan& plan, peer_role role) {
  forward_map part;
  for (const auto& port : plan.ports) {
    if (port.decision != verdict::exposed) continue;
    if (role == peer_role::loopback) {
      add_loopback(part, plan, port);
    } else if (is_in(plan, port, role)) {
      auto made = forward_of(plan, port, role);
      const auto key = made.key;
      part.emplace_hint(part.end(), key, std::move(made));
    }
  }
  return part;
}

std::optional<port_key> key_at(const exposure_plan& plan, const planned_port& port, peer_role role) {
  if (port.decision != verdict::exposed) return std::nullopt;
  if (role == peer_role::loopback) return port.bound;
  return is_in(plan, port, role) ? std::optional(key_in(plan, port, role)) : std::nullopt;
}

exposure_plan plan_exposure(const port_table& table, const exposure_options& options) {
  exposure_plan plan{.mode = options.mode};
  auto placed = place(table, {.by = options.rules.get(),
                              .label_names = options.label_names,
                              .loopback_only = options.mode == network_mode::non_admin});
  plan.ports.reserve(placed.host.size() + placed.ignored.size());
  for (auto& [key, port] : placed.host) plan_port(plan, key, port, placed.host, options);
  for (auto& [key, claims, by] : placed.ignored)
    plan.ports.push_back({.key = key,
                          .claims = std::move(claims),
                          .decision = verdict::ignored,
                          .reason = by.reason.str(),
                          .rule = by.reason,
                          .rule_number = number_of(by)});
  return plan;
}

}  // namespace ports
