#include "sinks/loopback/nat_rules.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "io/first_of.hpp"
#include "io/timeout.hpp"
#include "netlink/conntrack.hpp"
#include "sinks/loopback/tap_interface.hpp"

namespace loopback {
namespace {

constexpr const char* component = "loopback";
constexpr std::chrono::seconds settle_limit{15};
constexpr std::chrono::milliseconds between_changes{500};
constexpr int most_attempts = 6;
constexpr int looks_to_one_reading = 10;        // without any change
constexpr std::chrono::milliseconds pause{20};  // times the attempt's number

}  // namespace

nat_rules::nat_rules(const io::executor& where, nat_rules_options options)
    : options_(std::move(options)),
      legacy_(where, options_.legacy),
      localnet_(options_.state_directory / "route-localnet") {
  for (const auto& programs : options_.programs) tables_.emplace_back(programs, options_.rules, legacy_);
  auto watch = netlink::change_watch::open(where);
  if (watch) watch_.emplace(std::move(*watch));
  if (!watch_ || !watch_->sees_rules())
    base::log::info(component, "the kernel announces no rule changes, looking every {} s",
                    options_.resync.count() / 1000);
}

io::task<base::result<std::vector<relayed_port>>> nat_rules::settle(wanted_ports& wanted, adopt_live adopt) {
  co_return co_await io::within(settle_limit, attempts(wanted, adopt));
}

io::task<base::result<std::vector<relayed_port>>> nat_rules::attempts(wanted_ports& wanted, adopt_live adopt) {
  static const nat_table no_table;
  base::error trouble;
  for (int attempt = 1; attempt <= most_attempts; ++attempt) {
    if (attempt > 1) co_await io::sleep_for(pause * attempt);
    auto machine = look_at_machine(options_.rules);
    if (!machine) co_return std::unexpected(machine.error());
    seen_machine_ = *machine;
    const auto all = co_await read();
    if (!all) co_return std::unexpected(all.error());
    choose_home(*all, wanted);
    const auto& table = home_ ? *(*all)[*home_] : no_table;
    if (adopt == adopt_live::yes) wanted.merge(find_held(table, wanted, options_.rules));
    prepare_pair(*machine);
    auto plan = plan_rules(table, wanted, never_by_rule_, *machine, options_.rules);
    const auto changed = co_await change_all(*all, &plan);
    if (changed) {
      conclude_pair(plan.pair);
      co_return std::move(plan.relayed);
    }
    trouble = changed.error();
  }
  co_return std::unexpected(trouble);
}

// `at_home`: what the engine's table needs; nullptr for nothing. The other tables lose what is ours.
io::task<base::result<>> nat_rules::change_all(const tables& all, const rule_plan* at_home) {
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    const bool home = at_home != nullptr && i == home_;
    const auto plan = home ? *at_home : plan_removal(*all[i], options_.rules);
    const auto done = co_await change(tables_[i], plan);
    if (!done) co_return done;
  }
  co_return base::result<>{};
}

io::task<base::result<nat_rules::tables>> nat_rules::read() {
  tables all;
  for (auto& one : tables_) {
    auto table = co_await one.read();
    if (!table) co_return std::unexpected(table.error());
    all.push_back(std::move(*table));
  }
  co_return all;
}

// The engine may have been switched from one variant to the other, and its old chains are still there: the one that
// publishes more of what is wanted counts, and the first in doubt.
void nat_rules::choose_home(const tables& all, const wanted_ports& wanted) {
  const auto before = home_;
  std::size_t most = 0;
  home_.reset();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!has_engine(*all[i], options_.rules)) continue;
    const auto published = count_published(*all[i], wanted, options_.rules);
    if (home_ && published <= most) continue;
    home_ = i;
    most = published;
  }
  if (home_ == before) return;
  if (!home_) return base::log::info(component, "no engine publishes by iptables rules any more, ports are relayed");
  base::log::info(component, "an engine publishes by iptables rules variant={}", to_string(tables_[*home_].variant()));
}

io::task<base::result<>> nat_rules::change(table_reader& table, const rule_plan& plan) {
  if (plan.changes.empty() && plan.removals.empty()) co_return base::result<>{};
  const auto changed = co_await table.change(plan);
  if (!changed) {
    blame(plan, changed.error());
    co_return std::unexpected(changed.error());
  }
  complained_of_.clear();
  for (const auto process : *changed)
    if (watch_) watch_->ignore(process);
  forget_flows(plan);
  co_return base::result<>{};
}

// Clients of UDP that have sent to a port before its rule was there.
void nat_rules::forget_flows(const rule_plan& plan) const {
  std::set<net::endpoint> destinations;
  for (const auto& key : plan.owners) {
    if (key.protocol != net::protocol::udp) continue;
    for (const auto& at : seen_machine_.reached) destinations.insert({at, key.port});
  }
  if (destinations.empty()) return;
  const auto forgotten = netlink::forget_udp_flows(destinations);
  if (!forgotten) base::log::debug(component, "flows cannot be forgotten reason=\"{}\"", forgotten.error().message());
}

// A line that fails because the table changed meanwhile will not be there again after the next look. One that fails
// twice is one that the kernel does not take: its port is relayed from now on.
void nat_rules::blame(const rule_plan& plan, const base::error& why) {
  const auto number = line_complained_of(why.context);  // the first line is "*nat"
  if (!number || *number < 2 || *number - 2 >= plan.changes.size()) return;
  const auto& line = plan.changes[*number - 2];
  if (line != std::exchange(complained_of_, line)) return;
  base::log::error(component, "a rule is not taken rule=\"{}\" reason=\"{}\"", line, why.message());
  const auto& key = plan.owners[*number - 2];
  if (key.port != 0)
    never_by_rule_.insert(key);
  else
    never_pair_ = true;
}

// The pair needs route_localnet before it comes; where that cannot be had, ports are relayed as without a pair.
void nat_rules::prepare_pair(machine_state& machine) {
  if (never_pair_) machine.tap_interface.clear();
  if (!home_ || machine.tap_interface.empty()) return;
  localnet_on_ = true;
  const auto enabled = localnet_.enable(machine.tap_interface);
  if (!enabled) machine.tap_interface.clear();
  complain(enabled);
}

void nat_rules::conclude_pair(bool wanted) {
  if (wanted || !localnet_on_) return;
  const auto restored = localnet_.restore();
  localnet_on_ = !restored;
  complain(restored);
}

void nat_rules::complain(const base::result<>& about_localnet) {
  if (!about_localnet && localnet_well_)
    base::log::warn(component, "route_localnet: {}", about_localnet.error().message());
  localnet_well_ = about_localnet.has_value();
}

io::task<base::result<>> nat_rules::remove_once() {
  const auto all = co_await read();
  if (!all) co_return std::unexpected(all.error());
  co_return co_await change_all(*all, nullptr);
}

io::task<> nat_rules::remove_all() {
  for (int attempt = 1; attempt <= most_attempts; ++attempt) {
    const auto done = co_await remove_once();
    if (done) break;
    if (attempt == most_attempts)
      base::log::warn(component, "rules may be left behind reason=\"{}\"", done.error().message());
    co_await io::sleep_for(pause * attempt);
  }
  if (auto restored = localnet_.restore(); !restored) base::log::warn(component, "{}", restored.error().message());
}

bool nat_rules::nft_or_machine_changed() const {
  const auto machine = look_at_machine(options_.rules);
  if (!machine || *machine != seen_machine_) return true;
  return std::ranges::any_of(tables_, [](const auto& table) { return table.nft_changed(); });
}

io::task<> nat_rules::changed() {
  co_await changed_at_all();
  co_await io::sleep_until(told_ + between_changes);
  told_ = io::clock::now();
}

io::task<> nat_rules::rules_changed() {
  do co_await watch_->changed();
  while (!nft_or_machine_changed());
}

io::task<> nat_rules::legacy_changed() {
  bool news = false;
  while (!news) {
    co_await legacy_.changed();
    for (auto& table : tables_) {
      const bool differs = co_await table.legacy_changed();
      news = news || differs;
    }
  }
}

io::task<> nat_rules::changed_at_all() {
  for (int looks = 0; looks < looks_to_one_reading; ++looks) {
    auto sign = watch_ ? io::first_of(rules_changed(), legacy_changed()) : legacy_changed();
    const auto told = co_await io::within(options_.resync, std::move(sign));
    if (told || nft_or_machine_changed()) co_return;
  }
  for (auto& table : tables_) table.read_all();
}

}  // namespace loopback
