// Nat tables as text, as dockerd writes them, wanted ports, and the plan for both.
#pragma once

#include <gmock/gmock.h>

#include <stdexcept>
#include <string>

#include "sinks/loopback/held_ports.hpp"
#include "sinks/loopback/rule_plan.hpp"
#include "tests/unit/kernel/netfilter/table_text.hpp"

namespace loopback {

using netfilter::append_line;
using netfilter::changed_by;
using netfilter::lines_of;
using netfilter::nat_table;

inline nat_table table_of(const std::string& rules) {
  auto table = netfilter::parse_nat_table(
      "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:DOCKER - "
      "[0:0]\n" +
      rules + "COMMIT\n");
  if (!table) throw std::runtime_error(table.error().message());
  return *table;
}

inline const std::string docker_jumps =
    "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
    "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER\n"
    "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n"
    "-A DOCKER -i docker0 -j RETURN\n";

// As dockerd 20.10 does it for -p <address>:<port>:<target port>.
inline std::string docker_rule(const std::string& address, int port, const std::string& target,
                               const std::string& protocol = "tcp") {
  return "-A DOCKER -d " + address + "/32 ! -i docker0 -p " + protocol + " -m " + protocol + " --dport " +
         std::to_string(port) + " -j DNAT --to-destination " + target + "\n";
}
inline const std::string tag = "rancher-desktop-guestagent";
inline const std::string own_jumps =
    "-A PREROUTING -s 192.168.127.0/24 -d 192.168.127.2/32 -i eth0 -m comment --comment " + tag + ":peer -j " + tag +
    "\n-A PREROUTING -s 192.168.143.0/24 -d 192.168.143.1/32 -i veth0 -m comment --comment " + tag + ":peer -j " + tag +
    "\n";

// A rule of this program's, as iptables-save prints it.
inline std::string own_rule(const std::string& label, int port, const std::string& target,
                            const std::string& protocol = "tcp", const std::string& before = "") {
  return "-A " + tag + " " + before + "-p " + protocol + " -m " + protocol + " --dport " + std::to_string(port) +
         (protocol == "tcp" ? " --tcp-flags FIN,SYN,RST,ACK SYN" : "") + " -m comment --comment " + tag + ":" + label +
         " -j DNAT --to-destination " + target + "\n";
}
// The copy of docker_rule().
inline std::string our_rule(const std::string& container, int port, const std::string& target,
                            const std::string& protocol = "tcp") {
  return own_rule(container, port, target, protocol, "! -i docker0 ");
}
inline const std::string own_chain = ":" + tag + " - [0:0]\n";

inline ports::port_key key(const std::string& address, std::uint16_t port,
                           net::protocol protocol = net::protocol::tcp) {
  return {protocol, net::address::parse(address).value(), port};
}
inline ports::forward wanted_by(const std::string& owner, const ports::port_key& k, std::uint16_t container_port = 80) {
  return {k, container_port, {}, owner, owner.empty() ? ports::serving::host_listener : ports::serving::rule_and_proxy};
}
// A program of the VM's, or of a container in the host's network.
inline ports::forward listener(const ports::port_key& k) { return {k, 0, {}, "", ports::serving::host_listener}; }
inline wanted_ports all_of(const std::vector<ports::forward>& forwards) {
  wanted_ports made;
  for (const auto& f : forwards) made[f.key] = f;
  return made;
}

inline const rule_options options;
inline const machine_state machine{
    {{"eth0", options.tap, net::cidr(options.tap, 24)}, {"veth0", options.veth, net::cidr(options.veth, 24)}}};

inline way_choice ways(const nat_table& table, const wanted_ports& wanted, const way_limits& limits = {},
                       const rule_options& with = options) {
  return choose_ways(engine_rules(table, with), wanted, {}, limits, with);
}
// The relays listen on their key's port and 10,000.
inline relay_numbers relays_of(const way_choice& chosen) {
  relay_numbers relays;
  for (const auto& port : chosen.served)
    if (port.by == way::relayed)
      relays.emplace(port.wanted.key, static_cast<std::uint16_t>(port.wanted.key.port + 10'000));
  return relays;
}
inline rule_plan plan(const nat_table& table, const wanted_ports& wanted, const way_limits& limits = {},
                      const rule_options& with = options, const machine_state& on = machine) {
  const auto chosen = ways(table, wanted, limits, with);
  return plan_rules(netfilter::own_rules(table, with.tag), chosen.served, relays_of(chosen), on, with);
}
inline nat_table changed_by(const nat_table& table, const rule_plan& plan) { return changed_by(table, plan.change); }
inline wanted_ports held(const nat_table& table, const wanted_ports& wanted = {}, const rule_options& with = options) {
  return find_held(netfilter::own_rules(table, with.tag), engine_rules(table, with), wanted);
}
inline std::vector<std::string> chain(const nat_table& table) { return lines_of(table, tag); }
// Without the line's end.
inline std::string line(std::string text) {
  text.pop_back();
  return text;
}

// As CNI's portmap plugin writes them: the chain's name behind "CNI-DN-", and the container's id.
inline nat_table cni_table(const std::vector<std::pair<std::string, std::string>>& chains) {
  std::string heads = "*nat\n:PREROUTING ACCEPT\n:POSTROUTING ACCEPT\n:CNI-HOSTPORT-DNAT -\n",
              rules = "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n";
  int address = 7;
  for (const auto& [name, id] : chains) {
    const auto chain = "CNI-DN-" + name;
    heads += ":" + chain + " -\n";
    rules += "-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"bridge\\\" id: \\\"" + id +
             "\\\"\" -m multiport --dports 8080 -j " + chain + "\n-A " + chain +
             " -s 10.4.0.0/24 -d 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK\n-A " + chain +
             " -d 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.4.0." +
             std::to_string(address++) + ":80\n";
  }
  return netfilter::parse_nat_table(heads + rules + "COMMIT\n").value();
}
inline rule_options with_cni() {
  rule_options cni;
  cni.engines.push_back({"CNI-HOSTPORT-DNAT", "CNI-DN-*", ports::serving::nat_rule});
  return cni;
}

}  // namespace loopback
