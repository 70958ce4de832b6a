#include "sinks/loopback/nat_rules.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/route_localnet.hpp"
#include "kernel/netlink/conntrack.hpp"
#include "kernel/netlink/sock_diag.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "ports/sink.hpp"
#include "sinks/loopback/held_ports.hpp"
#include "sinks/loopback/machine_state.hpp"
#include "sinks/loopback/port_ways.hpp"
#include "sinks/loopback/relay_ports.hpp"
#include "sinks/loopback/rule_label.hpp"
#include "sinks/loopback/rule_options.hpp"
#include "sinks/loopback/rule_plan.hpp"
#include "sinks/loopback/table_view.hpp"

namespace loopback {
namespace {

constexpr const char* component = "loopback";
constexpr std::chrono::seconds settle_limit{15};
constexpr std::chrono::seconds kernel_limit{2};  // for a list of flows or connections
constexpr int most_attempts = 6;
constexpr std::chrono::milliseconds pause{20};  // times the attempt's number

bool needs_localnet(const served_port& port) { return port.by == way::direct && port.wanted.key.address.is_loopback(); }

}  // namespace

nat_rules::nat_rules(const async::executor& where, nat_rules_options options)
    : options_(std::move(options)),
      tables_(where, options_.programs, options_.rules.scope(), options_.legacy, component),
      localnet_(netfilter::route_localnet(options_.state_directory / "route-localnet"), options_.rules.tag,
                options_.programs, component),
      relays_(options_.relay),
      trigger_(where, {tables_, localnet_, rejected_, options_.rules, machine_}, options_.resync) {}

async::task<base::result<nat_rules::troubles>> nat_rules::settle(wanted_ports& wanted, adopt_live adopt) {
  trigger_.begin_settling();
  auto settled = co_await async::within(settle_limit, attempts(wanted, adopt));
  trigger_.end_settling(settled && all_read_ && wanted.empty() && !localnet_.may_be_on());
  if (!settled) remove_stale(wanted);
  co_return settled;
}

async::task<base::result<nat_rules::troubles>> nat_rules::attempts(wanted_ports& wanted, adopt_live adopt) {
  base::result<troubles> settled;
  for (int number = 1; number <= most_attempts; ++number) {
    if (number > 1) co_await async::sleep_for(pause * number);
    settled = co_await attempt(wanted, adopt);
    if (settled || ending_) break;
  }
  co_return settled;
}

// A relay listens before a rule leads to it, and closes when no rule does any more.
async::task<base::result<nat_rules::troubles>> nat_rules::attempt(wanted_ports& wanted, adopt_live adopt) {
  auto machine = read_machine(options_.rules);
  if (!machine) co_return std::unexpected(machine.error());
  machine_ = std::move(*machine);
  const auto read = co_await tables_.read();
  const auto views = view_all(read, options_.rules);
  all_read_ = std::ranges::all_of(views, [](const auto& view) { return view.has_value(); });
  if (auto chosen = home_.choose(views, wanted, tables_); !chosen) co_return std::unexpected(chosen.error());
  const table_view no_table(std::make_shared<const netfilter::nat_table>(), options_.rules);
  const auto index = home_.index();
  const auto* const chosen_view = index ? find_view(views[*index]) : nullptr;
  const auto& home = chosen_view != nullptr ? *chosen_view : no_table;
  if (adopt == adopt_live::yes) wanted.merge(find_held(home.own, home.engines, wanted));
  const auto ways = co_await choose(home, wanted);
  auto failed = open_relays(ways);
  const auto plan = plan_rules(home.own, ways.served, relays_.numbers(), machine_, options_.rules);
  const auto changed = co_await change_all(views, &plan);
  if (!changed) co_return std::unexpected(changed.error());
  co_await forget_flows(relays_.others());
  relays_.close_others();
  if (!plan.localnet && localnet_.may_be_on() && !co_await is_localnet_in_use()) co_await finish_localnet();
  settled_before_ = true;
  co_return failed;
}

// A rule to a loopback address needs route_localnet before it is added. If that cannot be set, its port is relayed.
async::task<way_choice> nat_rules::choose(const table_view& home, const wanted_ports& wanted) {
  const auto now = async::clock::now();
  way_limits limits{home_.index() && !rejected_.all(now), true, rejected_.ports(now)};
  const auto holders = find_holders(home, wanted);
  auto ways = choose_ways(home.engines, wanted, holders, limits, options_.rules);
  if (!std::ranges::any_of(ways.served, needs_localnet)) co_return ways;
  std::set<std::string> devices;
  for (const auto& peer : machine_.peers) devices.insert(peer.device);
  const auto enabled = co_await localnet_.enable(std::move(devices));
  if (enabled) co_return ways;
  limits.localnet = false;
  co_return choose_ways(home.engines, wanted, holders, limits, options_.rules);
}

port_holders nat_rules::find_holders(const table_view& home, const wanted_ports& wanted) const {
  port_holders holders;
  for (const auto& [key, forward] : find_held(home.own, home.engines, wanted)) holders.insert(key);
  for (const auto& [key, number] : relays_.numbers()) holders.insert(key);
  return holders;
}

nat_rules::troubles nat_rules::open_relays(const way_choice& ways) {
  std::vector<relayed_port> relayed;
  for (const auto& port : ways.served) {
    const auto& key = port.wanted.key;
    const bool in_place = port.by == way::relayed_in_place;
    if (in_place || port.by == way::relayed) relayed.push_back({key, target_of(key, options_.rules), in_place});
  }
  auto failed = relays_.open(relayed, machine_.peers);
  // If a Service's port is in use at the veth, it is served there.
  std::erase_if(failed, [](const auto& item) { return item.first.address.is_unspecified(); });
  for (const auto& [key, why] : ways.losers) failed.emplace(key, ports::outcome{ports::outcome_kind::conflict, why});
  return failed;
}

// `at_home`: the plan for the table with our rules; nullptr: there is none. The other tables lose the rules of ours,
// and so does one whose programs are gone. One that cannot be read stays as it is. A failure in one does not affect the
// others.
async::task<base::result<>> nat_rules::change_all(const table_views& views, const rule_plan* at_home) {
  base::result<> result;
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (!views[i]) continue;
    auto done = co_await change_one(i, *views[i], at_home);
    if (!done && result) result = std::move(done);
  }
  co_return result;
}

async::task<base::result<>> nat_rules::change_one(std::size_t index, const std::optional<table_view>& view,
                                                  const rule_plan* at_home) {
  if (!view) co_return co_await leave(index);
  const bool home = at_home != nullptr && index == home_.index();
  co_return co_await change(index, home ? *at_home : plan_rules(view->own, {}, {}, machine_, options_.rules));
}

async::task<base::result<>> nat_rules::leave(std::size_t index) {
  auto rules = co_await tables_.leftovers(index);
  if (!rules) co_return std::unexpected(rules.error());
  if (rules->empty()) co_return base::result<>{};
  co_return co_await tables_.change(index, std::move(*rules));
}

async::task<base::result<>> nat_rules::change(std::size_t index, rule_plan plan) {
  if (plan.change.empty()) co_return base::result<>{};
  const auto changed = co_await tables_.change(index, plan.change);
  if (!changed) {
    rejected_.note_failure(plan, changed.error(), async::clock::now());
    co_return std::unexpected(changed.error());
  }
  rejected_.note_success();
  co_await forget_flows(std::move(plan.owners));
  co_return base::result<>{};
}

// Connection tracking keeps a UDP client that sent before its port's rule was there away from the rule, and leads one
// that sent while it was there to the rule's relay for ever. The kernel may take long to list its flows.
async::task<> nat_rules::forget_flows(std::vector<ports::port_key> keys) {
  std::set<net::endpoint> destinations;
  for (const auto& key : keys) {
    if (key.protocol != net::protocol::udp) continue;
    for (const auto& peer : machine_.peers) destinations.insert({peer.address, key.port});
  }
  if (destinations.empty()) co_return;
  auto forget = [destinations = std::move(destinations)] { return netlink::forget_udp_flows(destinations); };
  const auto forgotten = co_await blocking_.run(forget, kernel_limit);
  if (!forgotten) base::log::debug(component, "cannot forget flows reason=\"{}\"", forgotten.error().message());
}

// While the text cannot be read, the comments still show the rules whose port is not wanted any more. Before the first
// settling it is unknown what is wanted.
void nat_rules::remove_stale(const wanted_ports& wanted) {
  const auto home = home_.index();
  if (!settled_before_ || !home) return;
  const auto removed = tables_.remove_stale(*home, [&](const netfilter::nat_rule& r) {
    return std::ranges::none_of(wanted, [&](const auto& item) {
      const auto& [key, forward] = item;
      return key.protocol == r.protocol && key.port == r.port &&
             r.comment == options_.rules.tag + ':' + std::string(label_of(forward.owner.str()));
    });
  });
  if (!removed) base::log::debug(component, "cannot remove stale rules reason=\"{}\"", removed.error().message());
}

// A connection that a rule to a loopback address began outlives the rule: its server stopped listening, or iptables is
// gone.
async::task<bool> nat_rules::is_localnet_in_use() {
  const auto found = co_await blocking_.run([] { return netlink::has_connection_into_loopback(); }, kernel_limit);
  co_return found.value_or(true);
}

// Off when no table has a rule that needs it. A table that cannot be read may have one.
async::task<> nat_rules::finish_localnet() {
  const auto read = co_await tables_.read();
  for (const auto& table : read) {
    if (!table) co_return;
    if (*table != nullptr && netfilter::own_rules(**table, options_.rules.tag).lead_to_loopback()) co_return;
  }
  co_await localnet_.disable();
}

// Fails if a table may still have rules of ours; the readable ones have none then.
async::task<base::result<>> nat_rules::remove_once() {
  const auto read = co_await tables_.read();
  auto done = co_await change_all(view_all(read, options_.rules), nullptr);
  for (const auto& table : read)
    if (!table && done) done = std::unexpected(table.error());
  co_return done;
}

async::task<> nat_rules::remove_all() {
  for (int attempt = 1; attempt <= most_attempts; ++attempt) {
    const auto done = co_await remove_once();
    if (done) break;
    if (attempt == most_attempts)
      base::log::warn(component, "rules may be left behind reason=\"{}\"", done.error().message());
    co_await async::sleep_for(pause * attempt);
  }
  remove_stale({});
  relays_.close_all();
  co_await finish_localnet();
}

std::string_view nat_rules::limitation() const {
  return tables_.is_any_gone() ? "iptables-nft has been removed: relays replace its rules" : "";
}

}  // namespace loopback
