// What iptables-save printed, or `iptables -S`, and what the agent would do about it. What was read and written again
// must read the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernel/netfilter/nft_addition_codec.hpp"
#include "kernel/netfilter/restore_line.hpp"
#include "sinks/loopback/held_ports.hpp"
#include "sinks/loopback/rule_label.hpp"
#include "sinks/loopback/rule_plan.hpp"

namespace {

loopback::wanted_ports wanted() {
  loopback::wanted_ports made;
  for (const auto port : {std::uint16_t{80}, std::uint16_t{8080}})
    for (const auto& at : {net::address::loopback_v4(), net::address::loopback_v6()}) {
      const ports::port_key key{net::protocol::tcp, at, port};
      made[key] = {key, 80, ports::source_id::docker, "abc"};
    }
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const loopback::rule_options options;
  static const loopback::machine_state machine{{{"eth0", options.tap, net::cidr(options.tap, 24)}}};
  static const auto wishes = wanted();
  if (const auto list = netfilter::parse_rule_list({reinterpret_cast<const char*>(data), size}))
    if (list->rules.size() + list->chains.size() > size) std::abort();
  const auto table = netfilter::parse_nat_table({reinterpret_cast<const char*>(data), size});
  if (!table) return 0;
  std::vector<std::string> lines;
  for (const auto& r : table->rules) lines.push_back(netfilter::append_line(r));
  const auto again = netfilter::parse_nat_table(netfilter::restore_input(lines));
  if (!again || again->rules != table->rules) std::abort();
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (const auto rule = netfilter::read_appended_rule(lines[i]); rule && rule->chain != table->rules[i].chain)
      std::abort();
  if (const auto request = netfilter::addition_request("nat", lines); request && request->size() < lines.size())
    std::abort();
  const loopback::engine_rules rules(*table, options);
  const netfilter::own_rules own(*table, options.tag);
  for (const auto& [key, held] : loopback::find_held(own, rules, wishes))
    if (!held.owner.empty() && !loopback::is_plain_id(held.owner.str())) std::abort();
  const auto ways = loopback::choose_ways(rules, wishes, {}, {}, options);
  const auto plan = loopback::plan_rules(own, ways.served, {}, machine, options);
  if (plan.change.lines.size() != plan.owners.size()) std::abort();
  for (const auto& change : plan.change.lines)
    if (change.find('\n') != std::string::npos) std::abort();
  return 0;
}
