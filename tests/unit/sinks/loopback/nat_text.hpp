// Nat tables as text, as dockerd writes them, and what iptables-restore would make of a plan.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

inline netfilter::nat_table table_of(const std::string& rules) {
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

inline netfilter::rule_spec parsed(std::string line) {
  line[1] = 'A';
  return netfilter::parse_nat_table("*nat\n" + line + "\nCOMMIT\n").value().rules.at(0);
}

// What one line of iptables-restore makes of the table. Throws where it would refuse.
inline void apply_line(netfilter::nat_table& table, const std::string& line) {
  if (line.starts_with(':')) {
    const auto name = line.substr(1, line.find(' ') - 1);
    std::erase_if(table.rules, [&](const auto& r) { return r.chain == name; });
    if (!table.has_chain(name)) table.chains.push_back(name);
  } else if (line.starts_with("-F ")) {
    std::erase_if(table.rules, [&](const auto& r) { return r.chain == line.substr(3); });
  } else if (line.starts_with("-X ")) {
    const auto name = line.substr(3);
    const bool used = std::ranges::any_of(
        table.rules, [&](const auto& r) { return r.chain == name || netfilter::jump_of(r) == name; });
    if (used || std::erase(table.chains, name) != 1) throw std::runtime_error("cannot " + line);
  } else if (line.starts_with("-A ")) {
    table.rules.push_back(parsed(line));
    if (!table.has_chain(table.rules.back().chain)) throw std::runtime_error("no chain for " + line);
  } else {
    const auto at = std::ranges::find(table.rules, parsed(line));
    if (at == table.rules.end()) throw std::runtime_error("no rule " + line);
    table.rules.erase(at);
  }
}

// What the changes make of the table. Throws where iptables-restore would refuse.
inline netfilter::nat_table changed_by(netfilter::nat_table table, const rule_plan& plan) {
  for (const auto& line : plan.changes) apply_line(table, line);
  return table;
}

inline std::vector<std::string> lines_of(const netfilter::nat_table& table, std::string_view chain) {
  std::vector<std::string> lines;
  for (const auto& r : table.rules)
    if (r.chain == chain) lines.push_back(netfilter::append_line(r));
  return lines;
}

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

}  // namespace loopback
