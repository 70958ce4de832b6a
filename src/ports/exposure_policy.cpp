#include "ports/exposure_policy.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/address.hpp"
#include "net/protocol.hpp"
#include "ports/binding.hpp"
#include "ports/claim_targets.hpp"
#include "ports/key_contest.hpp"
#include "ports/placement.hpp"
#include "ports/port_table.hpp"
#include "ports/rule_names.hpp"
#include "rules/decision.hpp"

namespace ports {
namespace {

constexpr std::uint16_t first_unprivileged_port = 1024;

// What becomes of a port at one peer.
struct outlook {
  bool wanted = false;  // the rules and the mode leave it to this peer
  verdict decision = verdict::exposed;
  std::string reason{};

  [[nodiscard]] bool is_open() const { return wanted && decision == verdict::exposed; }
};

std::string_view host_peer(network_mode mode) {
  return mode == network_mode::privileged_service ? privileged_service_name : host_switch_name;
}

std::string name_of(const binding& b) { return b.owner_name.empty() ? b.owner.str() : b.owner_name.str(); }

// Where a peer's port leads, for the owner of one that loses it.
std::string describe_target(const port_key& at, const planned_port& served) {
  const auto single = find_single_address(served.claims);
  const auto& winner = single ? *single->by : served.claims.front();
  const bool moved = at.port != winner.what.host_port;
  const auto inside =
      single && !moved ? single->key.address.to_string() : fmt::format("port {}", winner.what.host_port);
  return fmt::format("{} on the host leads to {} of {}", to_string(at), inside, name_of(winner.what));
}

std::optional<std::uint32_t> number_of(const rules::decision& by) {
  return by.rule ? std::optional(static_cast<std::uint32_t>(*by.rule)) : std::nullopt;
}

class planner {
 public:
  explicit planner(const exposure_options& options) : options_(options) {}

  exposure_plan plan(const port_table& table) {
    auto placed = place(table, {.by = options_.rules.get(),
                                .label_names = options_.label_names,
                                .loopback_only = options_.mode == network_mode::non_admin});
    for (auto& port : placed.ports) add(port);
    const auto at_host =
        judge([this](std::size_t i) { return look_at_host(i); }, [](const planned_port& p) { return p.key; });
    const auto at_wsl =
        judge([this](std::size_t i) { return look_at_wsl(i); }, [this](const planned_port& p) { return wsl_key(p); });
    exposure_plan made{.mode = options_.mode};
    made.ports.reserve(ports_.size() + placed.ignored.size());
    for (std::size_t i = 0; i < ports_.size(); ++i) settle(made, std::move(ports_[i]), at_host[i], at_wsl[i]);
    for (auto& [key, claims, by] : placed.ignored)
      made.ports.push_back({.key = key,
                            .claims = std::move(claims),
                            .decision = verdict::ignored,
                            .reason = by.reason.str(),
                            .rule = by.reason,
                            .rule_number = number_of(by)});
    return made;
  }

 private:
  void add(placed_port& from) {
    ports_.push_back({.key = from.key,
                      .claims = std::move(from.claims),
                      .reason = {},
                      .rule = from.by.reason,
                      .rule_number = number_of(from.by),
                      .owner_matters = from.owner_matters});
    left_to_.push_back({.host = allows(from.by, host_peer(options_.mode)), .wsl = allows(from.by, wsl_proxy_name)});
  }

  [[nodiscard]] port_key wsl_key(const planned_port& port) const { return key_for_wsl(options_.mode, port.claims); }

  // The verdict as far as it does not depend on other ports.
  [[nodiscard]] outlook look(const planned_port& port, const port_key& at) const {
    if (at.protocol == net::protocol::sctp) return {true, verdict::unsupported, "SCTP is not forwarded"};
    const bool restricts = options_.mode == network_mode::non_admin && options_.restrict_privileged_ports;
    if (restricts && at.port < first_unprivileged_port && !is_only_announced(port.claims))
      return {true, verdict::restricted, "ports below 1024 need an installation with administrator rights"};
    return {.wanted = true};
  }

  [[nodiscard]] outlook look_at_host(std::size_t i) const {
    const auto& port = ports_[i];
    if (!left_to_[i].host || is_only_announced(port.claims)) return {};
    if (options_.mode == network_mode::privileged_service && port_inside(port.claims) != port.key.port)
      return {true, verdict::unsupported, "the privileged service opens a port under its own number alone"};
    return look(port, port.key);
  }

  [[nodiscard]] outlook look_at_wsl(std::size_t i) const {
    if (!left_to_[i].wsl || options_.mode == network_mode::privileged_service) return {};
    return look(ports_[i], wsl_key(ports_[i]));
  }

  // At one peer: each port alone, then those that are left beside each other.
  template <class Look, class KeyOf>
  std::vector<outlook> judge(Look look, KeyOf key_of) const {
    std::vector<outlook> all;
    std::vector<contender> bids;
    std::vector<std::size_t> whose;
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      all.push_back(look(i));
      if (!all.back().is_open()) continue;
      bids.push_back({key_of(ports_[i]), port_inside(ports_[i].claims), &ports_[i].claims.front()});
      whose.push_back(i);
    }
    const auto rulings = hold_contest(bids);
    for (std::size_t n = 0; n < rulings.size(); ++n) {
      const auto& [is, other] = rulings[n];
      if (is == standing::open) continue;
      const auto& at = bids[other].key;
      auto& one = all[whose[n]];
      const bool covered = is == standing::covered;
      one.decision = covered ? verdict::covered : verdict::shadowed;
      one.reason = covered ? "answered by " + to_string(at) : describe_target(at, ports_[whose[other]]);
    }
    return all;
  }

  // The host's verdict is the port's, where it is for the host.
  void settle(exposure_plan& made, planned_port port, const outlook& at_host, const outlook& at_wsl) const {
    const auto& counts = at_host.wanted ? at_host : at_wsl;
    port.decision = counts.wanted ? counts.decision : verdict::ignored;
    port.reason = counts.wanted ? counts.reason : "the rule leaves it to no peer of this mode";
    port.on_host = at_host.is_open();
    port.for_wsl = at_wsl.is_open();
    if (port.decision == verdict::shadowed) port.key = raw_key(port.claims.front().what);
    std::vector<claim> shadowed;
    if (port.on_host || port.for_wsl) {
      shadowed = take_other_addresses(port.claims);
      if (const auto single = find_single_address(port.claims)) port.bound = single->key;
    }
    made.ports.push_back(std::move(port));
    if (!shadowed.empty()) add_shadowed(made, shadowed);
  }

  // The last port of the plan shadows them.
  static void add_shadowed(exposure_plan& made, const std::vector<claim>& shadowed) {
    const auto served = made.ports.back();
    const auto reason = describe_target(served.key, served);
    std::map<port_key, std::vector<claim>> by_address;
    for (const auto& c : shadowed) by_address[raw_key(c.what)].push_back(c);
    for (auto& [key, claims] : by_address)
      made.ports.push_back({.key = key,
                            .claims = std::move(claims),
                            .decision = verdict::shadowed,
                            .reason = reason,
                            .rule = served.rule,
                            .rule_number = served.rule_number});
  }

  struct allowance {
    bool host, wsl;
  };

  const exposure_options& options_;
  std::vector<planned_port> ports_;
  std::vector<allowance> left_to_;  // of each, the peers that its rule allows
};

}  // namespace

std::string_view to_string(network_mode mode) {
  switch (mode) {
    case network_mode::network_tunnel: return "network-tunnel";
    case network_mode::privileged_service: return "privileged-service";
    case network_mode::non_admin: break;
  }
  return "non-admin";
}

port_key key_for_wsl(network_mode mode, const std::vector<claim>& claims) {
  auto key = published_key(claims);
  if (mode == network_mode::non_admin) key.address = net::address::loopback_v4();
  return key;
}

exposure_plan plan_exposure(const port_table& table, const exposure_options& options) {
  return planner(options).plan(table);
}

}  // namespace ports
