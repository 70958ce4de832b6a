// exposure_policy: which ports of the table each peer should hold, and for every other port the reason why not. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ports/port_table.hpp"
#include "ports/sink.hpp"
#include "rules/rule_set.hpp"
#include "rules/rules_codec.hpp"

namespace ports {

enum class network_mode : std::uint8_t {
  network_tunnel,      // -adminInstall: the host binds what was asked for
  privileged_service,  // the same, by another program on the host, and not in the other WSL distributions
  non_admin,           // everything on 127.0.0.1, ports below 1024 restricted
};
[[nodiscard]] std::string_view to_string(network_mode mode);

struct exposure_options {
  network_mode mode = network_mode::network_tunnel;
  bool restrict_privileged_ports = true;            // in non-admin mode; false if every user of the host may bind them
  std::shared_ptr<const rules::rule_set> rules{};   // of the administrator; null: none
  std::optional<rules::known_names> label_names{};  // of containers' own rules in labels; nullopt: they do not count
};

enum class verdict : std::uint8_t {
  exposed,
  covered,      // 127.0.0.1:P while 0.0.0.0:P is exposed, which answers there too
  restricted,   // a privileged port in non-admin mode
  unsupported,  // SCTP; in privileged-service mode, a port of the host with another number than inside the VM
  shadowed,     // another claim of the same port of the host is served, from another address or port inside the VM
  ignored,      // by a port rule
};

// One port of the table as the host is to see it.
struct planned_port {
  port_key key;                                // what the host binds; of a shadowed or ignored port what was asked for
  std::vector<claim> claims;                   // never empty; the first one's owner gets the traffic
  verdict decision = verdict::exposed;         // on the host, or at wsl-proxy if the host is not to have it
  std::string reason;                          // for people; empty when exposed
  base::shared_text rule{};                    // for people: the port rule or label that decided; empty: none did
  std::optional<std::uint32_t> rule_number{};  // of the rule in the set, from 0
  bool on_host = false, for_wsl = false;       // whether it is to be open at these peers
  bool owner_matters = false;                  // to the rules, and it is not known; see owner_gate
  // The key inside the VM, where it is bound to one of its addresses; of an exposed port.
  std::optional<port_key> bound{};
  // An addition waits until then, except the loopback sink's; see forward::not_before.
  std::chrono::steady_clock::time_point not_before{};
};

struct exposure_plan {
  network_mode mode = network_mode::network_tunnel;
  std::vector<planned_port> ports{};  // by key; shadowed ones follow the one that is served; ignored ones are last
};

// Which part of the plan a peer holds.
enum class peer_role : std::uint8_t {
  host,       // for host-switch: key and source only; for the privileged service what wsl has
  wsl,        // for wsl-proxy: with the container port
  loopback,   // keys as they are inside the VM: what the tap address alone does not reach
  listeners,  // TCP ports that rules alone publish: no process listens on them inside the VM
};

// Where a port is at wsl-proxy: that connects to the port that it opens, so no rule gives it another number.
[[nodiscard]] port_key key_for_wsl(network_mode mode, const std::vector<claim>& claims);

using forward_map = std::map<port_key, forward>;
// Made from the plan at each call: the peers' machines keep what they need of it.
[[nodiscard]] forward_map part_of(const exposure_plan& plan, peer_role role);
// The key of the port at such a peer; nothing: the peer's part does not have the port.
[[nodiscard]] std::optional<port_key> key_at(const exposure_plan& plan, const planned_port& port, peer_role role);

[[nodiscard]] exposure_plan plan_exposure(const port_table& table, const exposure_options& options);

}  // namespace ports
