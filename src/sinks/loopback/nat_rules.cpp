#include "sinks/loopback/nat_rules.hpp"

#include <algorithm>
#include <set>

#include "async/first_of.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "kernel/netlink/conntrack.hpp"

namespace loopback {
namespace {

constexpr const char* component = "loopback";
constexpr std::chrono::seconds settle_limit{15};
constexpr std::chrono::seconds flow_limit{2};
constexpr std::chrono::milliseconds between_changes{500}, longest_pause{2'000};
constexpr int pause_share = 10;  // times the duration of the last settling
constexpr int most_attempts = 6;
constexpr int looks_to_one_reading = 10;        // without any change
constexpr std::chrono::milliseconds pause{20};  // times the attempt's number

const netfilter::nat_table no_table;

}  // namespace

nat_rules::nat_rules(const async::executor& where, nat_rules_options options)
    : options_(std::move(options)),
      legacy_(where, options_.legacy),
      relays_(options_.relay),
      localnet_(options_.state_directory / "route-localnet"),
      localnet_guard_(options_.rules.tag, options_.programs),
      localnet_trouble_(component, "cannot set route_localnet"),
      engaged_(where) {
  for (const auto& programs : options_.programs) tables_.emplace_back(programs, options_.rules, legacy_);
  auto watch = netlink::change_watch::open(where);
  if (watch) watch_.emplace(std::move(*watch));
  if (!watch_ || !watch_->sees_rules())
    base::log::info(component, "the kernel announces no rule changes, looking every {} s",
                    options_.resync.count() / 1000);
}

async::task<base::result<nat_rules::troubles>> nat_rules::settle(wanted_ports& wanted, adopt_live adopt) {
  const auto begin = async::clock::now();
  engage();
  auto settled = co_await async::within(settle_limit, attempts(wanted, adopt));
  settling_took_ = async::clock::now() - begin;
  idle_ = settled && all_read_ && wanted.empty();
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

// Relays listen before a rule leads to them, and close when none does any more.
async::task<base::result<nat_rules::troubles>> nat_rules::attempt(wanted_ports& wanted, adopt_live adopt) {
  auto machine = look_at_machine(options_.rules);
  if (!machine) co_return std::unexpected(machine.error());
  seen_machine_ = std::move(*machine);
  const auto all = co_await read();
  all_read_ = std::ranges::all_of(all, [](const auto& table) { return table.has_value(); });
  if (auto chosen = choose_home(all, wanted); !chosen) co_return std::unexpected(chosen.error());
  const engine_rules engines(home_ ? **all[*home_] : no_table, options_.rules);
  if (adopt == adopt_live::yes) wanted.merge(find_held(engines, wanted, options_.rules));
  const auto now = async::clock::now();
  way_limits limits{home_ && !rejected_.all(now), true, rejected_.ports(now)};
  const auto holders = find_holders(engines, wanted);
  auto ways = choose_ways(engines, wanted, holders, limits, options_.rules);
  const bool to_loopback = std::ranges::any_of(
      ways.served, [](const auto& port) { return port.by == way::direct && port.wanted.key.address.is_loopback(); });
  if (to_loopback) {
    const auto enabled = co_await enable_localnet();
    limits.localnet = enabled.has_value();
  }
  if (!limits.localnet) ways = choose_ways(engines, wanted, holders, limits, options_.rules);
  auto failed = open_relays(ways);
  const auto plan = plan_rules(engines, ways.served, relays_.numbers(), seen_machine_, options_.rules);
  const auto changed = co_await change_all(all, &plan);
  if (!changed) co_return std::unexpected(changed.error());
  relays_.close_others();
  if (!plan.localnet && localnet_on_) co_await finish_localnet();
  read_before_ = true;
  co_return failed;
}

nat_rules::troubles nat_rules::open_relays(const way_choice& ways) {
  std::vector<relayed_port> relayed;
  for (const auto& port : ways.served) {
    const auto& key = port.wanted.key;
    const bool in_place = port.by == way::relayed_in_place;
    if (in_place || port.by == way::relayed) relayed.push_back({key, target_of(key, options_.rules), in_place});
  }
  auto failed = relays_.open(relayed, seen_machine_.peers);
  // A Service's port that is in use at the veth is served there.
  std::erase_if(failed, [](const auto& item) { return item.first.address.is_unspecified(); });
  for (const auto& [key, why] : ways.losers) failed.emplace(key, ports::outcome{ports::outcome_kind::conflict, why});
  return failed;
}

// What a rule or a relay of ours serves already.
port_holders nat_rules::find_holders(const engine_rules& engines, const wanted_ports& wanted) const {
  port_holders holders;
  for (const auto& [key, forward] : find_held(engines, wanted, options_.rules)) holders.insert(key);
  for (const auto& [key, number] : relays_.numbers()) holders.insert(key);
  return holders;
}

// `at_home`: what the table with our rules needs; nullptr for nothing. The other tables lose what is ours. One that
// cannot be read stays as it is; one that cannot be changed does not keep the others from it.
async::task<base::result<>> nat_rules::change_all(const tables& all, const rule_plan* at_home) {
  base::result<> result;
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    if (!all[i] || *all[i] == nullptr) continue;
    const bool home = at_home != nullptr && i == home_;
    const auto plan =
        home ? *at_home : plan_rules(engine_rules(**all[i], options_.rules), {}, {}, seen_machine_, options_.rules);
    auto done = co_await change(tables_[i], plan);
    if (!done && result) result = std::move(done);
  }
  co_return result;
}

async::task<nat_rules::tables> nat_rules::read() {
  tables all;
  for (auto& one : tables_) {
    auto table = co_await one.read();
    all.push_back(std::move(table));
  }
  co_return all;
}

// The engine may have been switched from one variant to the other, and its old chains are still there: the one that
// publishes more of what is wanted counts, and the first in doubt. Without an engine our rules are in the first variant
// that the kernel has. Fails where the right one may be one that cannot be read: rules stay where they are.
base::result<> nat_rules::choose_home(const tables& all, const wanted_ports& wanted) {
  if (home_ && !all[*home_]) return std::unexpected(all[*home_].error());
  std::optional<std::size_t> home, first;
  std::size_t most = 0;
  const base::error* unreadable = nullptr;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i]) {
      if (!home_) unreadable = &all[i].error();
      continue;
    }
    if (*all[i] == nullptr) continue;
    if (!first) first = i;
    const engine_rules engines(**all[i], options_.rules);
    const auto published = count_published(engines, wanted);
    if (!engines.active() || (home && published <= most)) continue;
    home = i;
    most = published;
  }
  if (unreadable != nullptr && !home) return std::unexpected(*unreadable);
  const bool engine = home.has_value();
  if (!home) home = first;
  if (engine && (home != home_ || !engine_at_home_))
    base::log::info(component, "an engine publishes by iptables rules variant={}", to_string(tables_[*home].variant()));
  if (!engine && engine_at_home_) base::log::info(component, "no engine publishes by iptables rules any more");
  home_ = home;
  engine_at_home_ = engine;
  return {};
}

async::task<base::result<>> nat_rules::change(table_reader& table, const rule_plan& plan) {
  if (plan.changes.empty() && plan.removals.empty()) co_return base::result<>{};
  const auto changed = co_await table.change(plan);
  if (!changed) {
    rejected_.note_failure(plan, changed.error(), async::clock::now());
    co_return std::unexpected(changed.error());
  }
  rejected_.note_success();
  for (const auto process : *changed)
    if (watch_) watch_->ignore(process);
  co_await forget_flows(plan);
  co_return base::result<>{};
}

// Clients of UDP that have sent to a port before its rule was there. The kernel may take long to list its flows.
async::task<> nat_rules::forget_flows(const rule_plan& plan) {
  std::set<net::endpoint> destinations;
  for (const auto& key : plan.owners) {
    if (key.protocol != net::protocol::udp) continue;
    for (const auto& peer : seen_machine_.peers) destinations.insert({peer.address, key.port});
  }
  if (destinations.empty()) co_return;
  auto forget = [destinations = std::move(destinations)] { return netlink::forget_udp_flows(destinations); };
  const auto forgotten = co_await blocking_.run(forget, flow_limit);
  if (!forgotten) base::log::debug(component, "flows cannot be forgotten reason=\"{}\"", forgotten.error().message());
}

// While the text cannot be read, rules of ports that are not wanted any more are still found by their comments. Before
// the first reading nothing is known to be wanted.
void nat_rules::remove_stale(const wanted_ports& wanted) {
  if (!read_before_ || !home_) return;
  const auto removed = tables_[*home_].remove_stale(wanted);
  if (!removed) base::log::debug(component, "stale rules stay reason=\"{}\"", removed.error().message());
}

// A rule to a loopback address needs route_localnet before it comes; where that cannot be had, its port is relayed.
async::task<base::result<>> nat_rules::enable_localnet() {
  std::set<std::string> devices;
  for (const auto& peer : seen_machine_.peers) devices.insert(peer.device);
  localnet_on_ = true;
  const auto enabled = co_await switch_localnet_on(std::move(devices));
  localnet_trouble_.note(enabled);
  co_return enabled;
}

// No device has the setting without the guard: with it every loopback listener would be within the peer's reach.
async::task<base::result<>> nat_rules::switch_localnet_on(std::set<std::string> devices) {
  if (auto others = localnet_.restore_unless(devices); !others || devices.empty()) co_return others;
  auto guarded = co_await localnet_guard_.ensure(devices);
  if (guarded) co_return localnet_.enable(devices);
  if (const auto off = localnet_.restore(); !off)
    co_return base::fail("it stays on unguarded: " + off.error().message() + "; " + guarded.error().message());
  co_return guarded;
}

// Off when no table has a rule that needs it: where one cannot be read, such a rule may be there.
async::task<> nat_rules::finish_localnet() {
  const auto all = co_await read();
  for (const auto& table : all) {
    if (!table) co_return;
    if (*table != nullptr && leads_to_loopback(engine_rules(**table, options_.rules))) co_return;
  }
  auto off = localnet_.restore();
  if (off) off = co_await localnet_guard_.remove();
  localnet_on_ = !off;
  localnet_trouble_.note(off);
}

// Fails where a table may still have rules of ours; the others have none then.
async::task<base::result<>> nat_rules::remove_once() {
  const auto all = co_await read();
  auto done = co_await change_all(all, nullptr);
  for (const auto& table : all)
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

bool nat_rules::nft_or_machine_changed() const {
  const auto machine = look_at_machine(options_.rules);
  if (!machine || *machine != seen_machine_ || !localnet_guard_.holds()) return true;
  return std::ranges::any_of(tables_, [](const auto& table) { return table.nft_changed(); });
}

bool nat_rules::watches_legacy() const {
  return std::ranges::any_of(tables_, [](const auto& table) { return table.variant() != netfilter::nat_variant::nft; });
}

async::task<> nat_rules::changed() {
  co_await changed_at_all();
  co_await async::sleep_until(
      notified_ + std::clamp<async::clock::duration>(pause_share * settling_took_, between_changes, longest_pause));
  notified_ = async::clock::now();
}

async::task<> nat_rules::rules_changed() {
  do {
    co_await watch_->changed();
    localnet_guard_.heal();
  } while (!nft_or_machine_changed());
}

async::task<> nat_rules::legacy_changed() {
  bool news = false;
  while (!news) {
    co_await legacy_.changed();
    for (auto& table : tables_) {
      const bool differs = co_await table.legacy_changed();
      news = news || differs;
    }
  }
}

void nat_rules::engage() {
  idle_ = false;
  engaged_.notify_all();
}

async::task<> nat_rules::wait_engaged() {
  while (idle_) co_await engaged_.wait();
}

// A rejection's end is a reason to look, too. While nothing of ours is at stake only the look at the end counts.
async::task<> nat_rules::changed_at_all() {
  for (int looks = 0; looks < looks_to_one_reading; ++looks) {
    const auto now = async::clock::now();
    const auto retry = rejected_.next_end(now);
    const auto when = retry ? std::min(*retry, now + options_.resync) : now + options_.resync;
    base::result<> notified = base::fail(std::errc::timed_out, "");
    if (idle_)
      static_cast<void>(co_await async::until(when, wait_engaged()));
    else if (watch_ && watches_legacy())
      notified = co_await async::until(when, async::first_of(rules_changed(), legacy_changed()));
    else if (watch_)
      notified = co_await async::until(when, rules_changed());
    else if (watches_legacy())
      notified = co_await async::until(when, legacy_changed());
    else
      co_await async::sleep_until(when);
    if (notified || nft_or_machine_changed() || (retry && *retry <= async::clock::now())) co_return;
  }
  for (auto& table : tables_) table.read_all();
}

}  // namespace loopback
