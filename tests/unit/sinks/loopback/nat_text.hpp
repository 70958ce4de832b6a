// Nat tables as text, as dockerd writes them, and what iptables-restore would make of a plan.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

inline nat_table table_of(const std::string& rules) {
  auto table = parse_nat_table(
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
inline std::string our_rule(const std::string& container, int port, const std::string& target,
                            const std::string& protocol = "tcp") {
  return "-A DOCKER ! -i docker0 -p " + protocol + " -m " + protocol + " --dport " + std::to_string(port) +
         " -m comment --comment \"rancher-desktop-guestagent:" + container + "\" -j DNAT --to-destination " + target +
         "\n";
}

// What the changes make of the table. Throws where iptables-restore would refuse.
inline nat_table changed_by(nat_table table, const rule_plan& plan) {
  for (auto line : plan.changes) {
    const bool append = line.starts_with("-A ");
    line[1] = 'A';
    const auto parsed = parse_nat_table("*nat\n" + line + "\nCOMMIT\n");
    const auto& r = parsed.value().rules.at(0);
    if (append) {
      if (!table.has_chain(r.chain)) throw std::runtime_error("no chain " + r.chain);
      table.rules.push_back(r);
    } else {
      const auto at = std::ranges::find(table.rules, r);
      if (at == table.rules.end()) throw std::runtime_error("no rule " + line);
      table.rules.erase(at);
    }
  }
  return table;
}

inline std::vector<std::string> lines_of(const nat_table& table, std::string_view chain) {
  std::vector<std::string> lines;
  for (const auto& r : table.rules)
    if (r.chain == chain) lines.push_back(append_line(r));
  return lines;
}

inline ports::port_key key(const std::string& address, std::uint16_t port,
                           net::protocol protocol = net::protocol::tcp) {
  return {protocol, net::address::parse(address).value(), port};
}
inline ports::forward wanted_by(const std::string& owner, const ports::port_key& k, std::uint16_t container_port = 80) {
  return {k, container_port, ports::source_id::docker, owner};
}
inline wanted_ports all_of(const std::vector<ports::forward>& forwards) {
  wanted_ports made;
  for (const auto& f : forwards) made[f.key] = f;
  return made;
}

}  // namespace loopback
