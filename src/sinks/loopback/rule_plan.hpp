// rule_plan: what is to change in the nat table so that ports published on single addresses of the VM answer at its tap
// and veth addresses too, and which of them a userspace relay has to serve instead. Pure.
//
// Three kinds of rules are this program's, told by their comment, which begins with the tag:
//
//   in the engine's chain, behind its own rules   the engine's DNAT rule of the binding, for any destination address.
//     -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -m comment --comment "TAG:<container>" -j DNAT --to-destination
//     172.17.0.2:80
//   in PREROUTING, behind every jump to a chain   what no engine took goes to the listeners on 127.0.0.1 …
//     -A PREROUTING -d 192.168.127.2/32 -i eth0 -p tcp -m comment --comment "TAG:pair" -j DNAT --to-destination
//     127.0.0.1 … but for ports that somebody serves at the tap address itself, or that CNI's nftables backend sends to
//     a container ("TAG:direct", -j ACCEPT), which stand before it. TCP only: a UDP server on the wildcard address
//     answers from the tap's, which is not where conntrack expects the answer from. UDP ports on 127.0.0.1 are relayed.
//   in POSTROUTING                                packets of the VM's own other addresses leave with the tap's.
//     -A POSTROUTING -o eth0 -m addrtype --src-type LOCAL -m comment --comment "TAG:pair" -j SNAT --to-source
//     192.168.127.2
//
// A rule of the first kind is alive as long as the engine's rule is there from which it was made. One that is not is a
// stale one (a crashed agent's, a container's that is gone): it would catch the packets for the next container on that
// port.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "netfilter/nft_codec.hpp"
#include "ports/sink.hpp"
#include "sinks/loopback/dnat_rule.hpp"
#include "sinks/loopback/iptables_save.hpp"

namespace loopback {

// How an engine publishes: PREROUTING jumps to `jump`; the DNAT rules are in the chain `rules`, or in all chains whose
// name begins so where it ends with "*": each is one container's then, and a comment where `jump` jumps to it says
// whose.
struct engine_chain {
  std::string jump;
  std::string rules;
  ports::source_id source = ports::source_id::docker;
};

//
// With `interface`, in privileged-service mode, the peer connects to the addresses of that interface, whatever they are
// now; `tap` and `veth` are not looked at. There is no pair then: the interface belongs to the whole VM and to all
// distributions in it, and the pair would open everybody's listeners on 127.0.0.1 to it. A relay for each port does.
struct rule_options {
  std::string tag{netfilter::own_tag};
  std::vector<engine_chain> engines{{"DOCKER", "DOCKER"}};
  net::address tap = net::address::v4(192, 168, 127, 2);
  net::address veth = net::address::v4(192, 168, 143, 1);
  std::string interface;
};

// What of the machine the plan depends on.
struct machine_state {
  std::string tap_interface;          // empty: none has the tap address now, or it is not looked at
  std::vector<net::address> reached;  // the addresses at which peers connect, as far as the machine has them
  // TCP ports that a chain outside of the nat table sends elsewhere, whatever the address. It may be asked behind the
  // nat table: whichever was made later is asked first.
  std::set<std::uint16_t> sent_elsewhere{};

  bool operator==(const machine_state&) const = default;
};

// One wanted port that no rule serves: listen on each of `listen`, forward to the key's own address and port.
struct relayed_port {
  ports::port_key key;
  std::vector<net::address> listen;  // empty: reachable as it is, or no address to listen on is there yet
};

// The table is right where there is nothing to change and nothing to remove.
struct rule_plan {
  std::vector<std::string> changes;             // for iptables-restore, in order
  std::vector<ports::port_key> owners;          // of each change; a default one where it belongs to no port
  std::set<std::string> grown;                  // the chains to which the changes add
  std::vector<netfilter::rule_place> removals;  // behind the changes: rules whose handles are known
  std::vector<relayed_port> relayed;
  bool pair = false;  // the pair is wanted: the tap interface needs route_localnet
};

using wanted_ports = std::map<ports::port_key, ports::forward>;

// Fit to stand in a comment: 1 to 200 of letters, digits, '_', '.', '-', '/'.
[[nodiscard]] bool is_plain_id(std::string_view text);

// True if an engine publishes by this table: PREROUTING jumps to its chain.
[[nodiscard]] bool has_engine(const nat_table& table, const rule_options& options);
// How many of the wanted ports the engines' rules of this table publish.
[[nodiscard]] std::size_t count_published(const nat_table& table, const wanted_ports& wanted,
                                          const rule_options& options);

// The ports that the live rules of ours serve; of several addresses of one container's port the first that is in
// `wanted`, else the lowest.
[[nodiscard]] wanted_ports find_held(const nat_table& table, const wanted_ports& wanted, const rule_options& options);

// `never_by_rule`: ports whose rules the kernel would not take; they are relayed.
[[nodiscard]] rule_plan plan_rules(const nat_table& table, const wanted_ports& wanted,
                                   const std::set<ports::port_key>& never_by_rule, const machine_state& machine,
                                   const rule_options& options);

// Takes every rule of ours out.
[[nodiscard]] rule_plan plan_removal(const nat_table& table, const rule_options& options);

}  // namespace loopback
