#include "sinks/loopback/table_reader.hpp"

#include <algorithm>
#include <map>

#include "kernel/netfilter/legacy_table.hpp"
#include "kernel/netfilter/nft_removal.hpp"
#include "sinks/loopback/engine_rules.hpp"

namespace loopback {
namespace {

using namespace std::chrono_literals;

constexpr int attempts = 6;
constexpr auto patience = 5s;  // for the kernel
constexpr std::string_view table_name = "nat";

// Gives the rules their handles, and names the chains that were not read but are led to. False where the text shows
// another number of rules than the kernel has.
bool complete(netfilter::nat_table& table, const netfilter::nft_nat_view& view) {
  std::map<std::string_view, const netfilter::nft_nat_view::chain*> by_name;
  std::map<std::string_view, std::size_t> counts, next;
  for (const auto& c : view.chains) by_name.emplace(c.name, &c);
  for (const auto& r : table.rules) ++counts[r.chain];
  for (const auto& c : view.chains)
    if (counts[c.name] != c.handles.size()) return false;
  table.handles.reserve(table.rules.size());
  for (const auto& r : table.rules) {
    const auto chain = by_name.find(r.chain);
    table.handles.push_back(chain != by_name.end() ? chain->second->handles[next[r.chain]++] : 0);
  }
  std::set<std::string> chains(table.chains.begin(), table.chains.end());
  for (const auto& c : view.chains) chains.insert(c.jumps.begin(), c.jumps.end());
  table.chains.assign(chains.begin(), chains.end());
  return true;
}

base::result<table_ptr> shared(base::result<netfilter::nat_table> table) {
  if (!table) return std::unexpected(table.error());
  return std::make_shared<const netfilter::nat_table>(std::move(*table));
}

}  // namespace

table_reader::table_reader(netfilter::nat_programs programs, const rule_options& rules, netfilter::legacy_watch& legacy)
    : tool_(std::move(programs)), rules_(rules), legacy_(legacy) {}

async::task<base::result<table_ptr>> table_reader::read() {
  switch (variant()) {
    case netfilter::nat_variant::nft: return read_nft();
    case netfilter::nat_variant::legacy: return read_legacy();
    case netfilter::nat_variant::plain: break;
  }
  return read_plain();
}

// Whatever it is, it is read every time.
async::task<base::result<table_ptr>> table_reader::read_plain() {
  const auto view = look();
  seen_nft_ = view ? fingerprint(view->fingerprint) : std::nullopt;
  seen_legacy_ = co_await look_at_legacy();
  const auto legacy = netfilter::has_legacy_nat(netfilter::family::ipv4);
  if (legacy && !*legacy && !view && netfilter::is_without_nftables(view.error())) co_return nullptr;
  auto table = co_await read_text();
  co_return shared(std::move(table));
}

// What else is in the table, as kube-proxy's rules, is passed over.
async::task<base::result<netfilter::nat_table>> table_reader::read_text() {
  const auto* const rules = &rules_;
  netfilter::rule_filter wanted = [rules](std::string_view chain, std::string_view line) {
    return concerns_us(chain, line, *rules);
  };
  co_return co_await tool_.read(std::move(wanted));
}

base::result<netfilter::nft_nat_view> table_reader::look() const {
  std::vector<std::string> chains{"PREROUTING", rules_.tag}, followed;
  for (const auto& engine : rules_.engines) {
    followed.push_back(engine.jump);
    if (!engine.rules.ends_with('*')) chains.push_back(engine.rules);
  }
  chains.insert(chains.end(), own_chains_.begin(), own_chains_.end());
  return netfilter::look_at_nft_nat(chains, followed);
}

// Finds rules of ours wherever they are.
async::task<base::result<>> table_reader::read_whole() {
  const auto whole = co_await read_text();
  if (!whole) co_return std::unexpected(whole.error());
  own_chains_ = chains_with_ours(*whole);
  all_ = false;
  co_return base::result<>{};
}

async::task<base::result<table_ptr>> table_reader::read_nft() {
  for (int attempt = 1; attempt <= attempts; ++attempt) {
    auto view = look();
    if (!view && view.error().code == std::errc::resource_unavailable_try_again) continue;
    if (!view && netfilter::is_without_nftables(view.error())) co_return nullptr;
    if (!view) {  // a kernel that does not let us look: nothing is known afterwards
      seen_nft_.reset();
      auto whole = co_await read_text();
      co_return shared(std::move(whole));
    }
    if (all_) {
      const auto whole = co_await read_whole();
      if (!whole) co_return std::unexpected(whole.error());
      continue;
    }
    seen_nft_ = view->fingerprint;
    if (known_ && known_->first == view->fingerprint) co_return known_->second;
    auto table = co_await read_nft_chains(*view);
    if (!table) co_return std::unexpected(table.error());
    const auto after = look();
    if (!after || after->fingerprint != view->fingerprint || !complete(*table, *view)) continue;
    own_chains_ = chains_with_ours(*table);
    known_.emplace(view->fingerprint, std::make_shared<const netfilter::nat_table>(std::move(*table)));
    co_return known_->second;
  }
  co_return base::fail(std::errc::resource_unavailable_try_again, "the rules keep changing");
}

// A chain that goes meanwhile makes the program fail, and so may one that lists no chains in this way.
async::task<base::result<netfilter::nat_table>> table_reader::read_nft_chains(netfilter::nft_nat_view view) {
  std::vector<std::string> names;
  for (auto& c : view.chains) names.push_back(std::move(c.name));
  if (names.empty()) co_return netfilter::nat_table{};
  auto table = co_await tool_.read_chains(std::move(names));
  if (table || table.error().code) co_return table;
  co_return co_await read_text();
}

// Nothing tells what happened while the text was being read: it is known for a table that was the same before and
// afterwards.
async::task<base::result<table_ptr>> table_reader::read_legacy() {
  const auto there = netfilter::has_legacy_nat(netfilter::family::ipv4);
  if (!there) co_return std::unexpected(there.error());
  seen_legacy_ = co_await look_at_legacy();
  const auto before = seen_legacy_;
  if (!*there) co_return nullptr;
  if (before && known_ && known_->first == *before) co_return known_->second;
  known_.reset();
  auto text = co_await read_text();
  auto table = shared(std::move(text));
  if (!table || !before) co_return table;
  const auto after = co_await look_at_legacy();
  if (after == before) known_.emplace(*before, *table);
  co_return table;
}

async::task<table_reader::fingerprint> table_reader::look_at_legacy() {
  if (variant() == netfilter::nat_variant::nft) co_return std::nullopt;
  legacy_.begin_reading();
  const auto there = netfilter::has_legacy_nat(netfilter::family::ipv4);
  if (!there) co_return std::nullopt;
  if (!*there) co_return 0;
  auto read = [] { return netfilter::legacy_nat_fingerprint(); };
  const auto now = co_await blocking_.run(read, patience);
  legacy_.end_reading();
  co_return now ? fingerprint(*now) : std::nullopt;
}

async::task<base::result<std::vector<pid_t>>> table_reader::change(rule_plan plan) {
  known_.reset();
  seen_nft_.reset();
  seen_legacy_.reset();
  own_chains_.insert(plan.grown.begin(), plan.grown.end());
  std::vector<pid_t> by;
  if (!plan.changes.empty()) {
    const auto changed = co_await tool_.change(plan.changes);
    if (!changed) co_return std::unexpected(changed.error());
    by.push_back(*changed);
  }
  if (!plan.removals.empty()) {
    auto remove = [places = std::move(plan.removals)] { return netfilter::remove_nft_rules(table_name, places); };
    const auto removed = co_await blocking_.run(std::move(remove), patience);
    if (!removed) co_return std::unexpected(removed.error());
    by.push_back(*removed);
  }
  co_return by;
}

base::result<> table_reader::remove_stale(const wanted_ports& wanted) const {
  if (variant() != netfilter::nat_variant::nft) return {};
  auto kernel = netfilter::nft_reader::open();
  if (!kernel) return std::unexpected(kernel.error());
  const auto found = kernel->dump({netfilter::family::ipv4, std::string(table_name), rules_.tag});
  if (!found) return std::unexpected(found.error());
  std::vector<netfilter::rule_place> stale;
  for (std::size_t i = 0; i < found->rules.size(); ++i) {
    const auto& r = found->rules[i];
    const bool alive = std::ranges::any_of(wanted, [&](const auto& item) {
      const auto& [key, forward] = item;
      return key.protocol == r.protocol && key.port == r.port &&
             r.comment == rules_.tag + ':' + std::string(label_of(forward.owner));
    });
    if (!alive && r.comment.starts_with(rules_.tag + ':')) stale.push_back({rules_.tag, found->handles[i]});
  }
  const auto removed = netfilter::remove_nft_rules(table_name, stale);
  return removed ? base::result<>{} : std::unexpected(removed.error());
}

bool table_reader::nft_changed() const {
  if (variant() == netfilter::nat_variant::legacy) return false;
  const auto now = look();
  return !now || now->fingerprint != seen_nft_;
}

async::task<bool> table_reader::legacy_changed() {
  if (variant() == netfilter::nat_variant::nft) co_return false;
  const auto now = co_await look_at_legacy();
  const auto before = std::exchange(seen_legacy_, now);
  co_return !now || !before || *now != *before;
}

std::set<std::string> table_reader::chains_with_ours(const netfilter::nat_table& table) const {
  std::set<std::string> chains;
  const auto tag = rules_.tag + ':';
  for (const auto& r : table.rules)
    if (netfilter::comment_of(r).starts_with(tag)) chains.insert(r.chain);
  return chains;
}

}  // namespace loopback
