// rule_plan: what is to change in the nat table so that ports published on single addresses of the VM answer at its tap
// and veth addresses too. Pure.
//
// All rules of this program's are in one chain of its own, named by the tag. Only packets that a peer sent get there:
//
//   packet ─▶ raw ─▶ conntrack ─▶ nat PREROUTING, priority -100                ─▶ routing ─▶ INPUT ─▶ a socket
//             -300     -200         1. the jumps of engines and of kube-proxy               └▶ FORWARD ─▶ a container
//                                      (DOCKER, CNI-HOSTPORT-DNAT, KUBE-SERVICES)
//                                   2. -s 192.168.127.0/24 -d 192.168.127.2 -i eth0  -j TAG   "TAG:peer"
//                                      -s 192.168.143.0/24 -d 192.168.143.1 -i veth0 -j TAG   "TAG:peer"
//
// The first rule that translates a packet is the last one that sees it, so whatever an engine publishes wins, and a
// packet of another sender costs two comparisons however many ports are published. The chain holds one rule for each
// port, with a comment that names the container:
//
//   copied    the engine's DNAT rule of the binding without its destination: goes to the container
//   direct    --to-destination 127.0.0.1: a listener of the VM's. A loopback address needs route_localnet on the
//             peers' devices.
//   relayed   --to-destination :R: the relay of this program's that listens at the peers' addresses on port R
//
// TCP rules take new connections only (--syn). A rule is alive as long as what it leads to: the engine's rule from
// which it was copied, the wanted port, the relay. One that is not (a crashed agent's, a container's that is gone)
// would make the port dead for the next container, and goes at once.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/nft_codec.hpp"
#include "ports/sink.hpp"
#include "sinks/loopback/machine_state.hpp"

namespace loopback {

// How an engine publishes: PREROUTING jumps to `jump`; the DNAT rules are in the chain `rules`, or in all chains whose
// name begins so where it ends with "*": each is one container's then, and a comment where `jump` jumps to it says
// whose.
struct engine_chain {
  std::string jump;
  std::string rules;
  ports::serving served = ports::serving::rule_and_proxy;
};

// With `interface`, in privileged-service mode, the peer connects to the addresses of that interface, whatever they are
// now; `tap` and `veth` are not looked at. That interface belongs to all distributions of the VM, so it never gets
// route_localnet: what listens on a loopback address is relayed.
struct rule_options {
  std::string tag{netfilter::own_tag};  // also the name of the chain
  std::vector<engine_chain> engines{{"DOCKER", "DOCKER"}};
  net::address tap = net::address::v4(192, 168, 127, 2);
  net::address veth = net::address::v4(192, 168, 143, 1);
  std::string interface;
};

using wanted_ports = std::map<ports::port_key, ports::forward>;
class engine_rules;

enum class way : std::uint8_t {
  copied,
  direct,
  relayed,
  relayed_in_place,  // without a rule: the relay listens on the port itself
};

struct served_port {
  ports::forward wanted;
  way by = way::relayed;
  const netfilter::rule_spec* engines = nullptr;  // of a copied one
};

// What is not to be had now.
struct way_limits {
  bool rules = true;                     // false: no table can be written
  bool localnet = true;                  // false: route_localnet cannot be set
  std::set<ports::port_key> rejected{};  // iptables rejected their rules
};

// A port of the peers' belongs to one address of the VM's: who has it keeps it.
using port_holders = std::set<ports::port_key>;

struct way_choice {
  std::vector<served_port> served;
  std::map<ports::port_key, std::string> losers;  // another address of the same port is served: why
};

// One way for each wanted port; of two addresses with the same port the one in `holders`, else the lower one, is
// served. A listener's claim behind an engine's rule is left out: the container's claim names it.
[[nodiscard]] way_choice choose_ways(const engine_rules& rules, const wanted_ports& wanted, const port_holders& holders,
                                     const way_limits& limits, const rule_options& options);

// Where the port is served inside the VM. The Services' wildcard is reached at the tap's address, as kube-proxy in its
// nftables and IPVS modes answers at the primary address only.
[[nodiscard]] net::endpoint target_of(const ports::port_key& key, const rule_options& options);

// The table is right where there is nothing to change and nothing to remove.
struct rule_plan {
  std::vector<std::string> changes;             // for iptables-restore, in order
  std::vector<ports::port_key> owners;          // of each change; a default one where it belongs to no port
  std::set<std::string> grown;                  // the chains to which the changes add
  std::vector<netfilter::rule_place> removals;  // behind the changes: rules whose handles are known
  bool localnet = false;                        // a rule leads to a loopback address
};

// The ports on which the relays listen, by key.
using relay_numbers = std::map<ports::port_key, std::uint16_t>;

// Fit to stand in a comment: 1 to 200 of letters, digits, '_', '.', '-', '/'.
[[nodiscard]] bool is_plain_id(std::string_view text);

// What follows the tag in the comment of a rule for a port of this owner.
[[nodiscard]] std::string_view label_of(std::string_view owner);

// How many of the wanted ports the engines' rules publish.
[[nodiscard]] std::size_t count_published(const engine_rules& rules, const wanted_ports& wanted);

// The ports that the live rules of ours serve; of several addresses of one container's port the first that is in
// `wanted`, else the lowest.
[[nodiscard]] wanted_ports find_held(const engine_rules& rules, const wanted_ports& wanted,
                                     const rule_options& options);

// A relayed port whose number is not in `relays` gets no rule. With nothing served every rule of ours goes.
[[nodiscard]] rule_plan plan_rules(const engine_rules& rules, const std::vector<served_port>& served,
                                   const relay_numbers& relays, const machine_state& machine,
                                   const rule_options& options);

// True if a rule of ours in this table leads to a loopback address.
[[nodiscard]] bool leads_to_loopback(const engine_rules& rules);

}  // namespace loopback
