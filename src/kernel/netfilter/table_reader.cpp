#include "kernel/netfilter/table_reader.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/legacy_table.hpp"
#include "kernel/netfilter/legacy_watch.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "kernel/netfilter/nft_addition.hpp"
#include "kernel/netfilter/nft_addition_codec.hpp"
#include "kernel/netfilter/nft_reader.hpp"
#include "kernel/netfilter/nft_removal.hpp"
#include "kernel/netfilter/nft_removal_codec.hpp"
#include "kernel/netfilter/table_change.hpp"
#include "kernel/netfilter/table_scope.hpp"

namespace netfilter {
namespace {

using namespace std::chrono_literals;

constexpr int attempts = 6;
constexpr auto kernel_limit = 5s;
constexpr std::string_view table_name = "nat", jumping_chain = "PREROUTING";

// Gives the rules their handles, and adds the chains that were not read but that a rule jumps to. False if the text and
// the kernel differ in the number of rules.
bool complete(nat_table& table, const nft_nat_view& view) {
  std::map<std::string_view, const nft_nat_view::chain*> by_name;
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

base::result<table_ptr> shared(base::result<nat_table> table) {
  if (!table) return std::unexpected(table.error());
  return std::make_shared<const nat_table>(std::move(*table));
}

// The rules changed during the dump, or the kernel did not answer in time.
bool is_passing(const base::error& e) {
  return e.code == std::errc::resource_unavailable_try_again || e.code == std::errc::timed_out;
}

// The rules of these chains in nftables that have our comment, and for which `wanted` holds.
base::result<std::vector<rule_place>> find_tagged(const std::string& tag, const std::vector<std::string>& chains,
                                                  const std::function<bool(const nat_rule&)>& wanted) {
  auto kernel = nft_reader::open();
  if (!kernel) return std::unexpected(kernel.error());
  std::vector<rule_place> places;
  for (const auto& chain : chains) {
    const auto found = kernel->dump({family::ipv4, std::string(table_name), chain});
    if (!found) return std::unexpected(found.error());
    for (std::size_t i = 0; i < found->rules.size(); ++i) {
      const auto& r = found->rules[i];
      if (r.comment.starts_with(tag + ':') && wanted(r)) places.push_back({chain, found->handles[i]});
    }
  }
  return places;
}

std::optional<std::uint32_t> generation_now() {
  const auto now = read_nft_generation();
  return now ? std::optional(*now) : std::nullopt;
}

}  // namespace

table_reader::table_reader(nat_programs programs, table_scope scope, legacy_watch& legacy)
    : tool_(std::move(programs)), scope_(std::move(scope)), legacy_(legacy) {}

async::task<base::result<table_ptr>> table_reader::read() {
  switch (variant()) {
    case nat_variant::nft: break;
    case nat_variant::legacy: co_return co_await read_legacy();
    case nat_variant::plain: co_return co_await read_plain();
  }
  auto table = co_await read_nft();
  if (!table && !tool_.is_installed()) {
    gone_.note(base::fail("its programs cannot be executed"));
    known_.reset();
    known_generation_.reset();
    co_return nullptr;
  }
  if (table && *table != nullptr) gone_.note({});
  co_return table;
}

async::task<base::result<table_change>> table_reader::leftovers() {
  if (!is_gone()) co_return table_change{};
  auto find = [tag = scope_.tag]() -> base::result<table_change> {
    auto places = find_tagged(tag, {std::string(jumping_chain), tag}, [](const nat_rule&) { return true; });
    if (!places) return std::unexpected(places.error());
    return table_change{.removals = std::move(*places)};
  };
  co_return co_await blocking_.run(std::move(find), kernel_limit);
}

// "iptables" may be either variant: the text is read every time.
async::task<base::result<table_ptr>> table_reader::read_plain() {
  const auto view = read_view();
  seen_nft_ = view ? fingerprint(view->fingerprint) : std::nullopt;
  seen_legacy_ = co_await read_legacy_fingerprint();
  const auto legacy = has_legacy_nat(family::ipv4);
  if (legacy && !*legacy && !view && is_without_nftables(view.error())) co_return nullptr;
  auto table = co_await read_text();
  co_return shared(std::move(table));
}

async::task<base::result<nat_table>> table_reader::read_text() {
  const auto* const scope = &scope_;
  rule_filter wanted = [scope](std::string_view chain, std::string_view line) { return scope->contains(chain, line); };
  co_return co_await tool_.read(std::move(wanted));
}

base::result<nft_nat_view> table_reader::read_view() const {
  std::vector<std::string> chains{std::string(jumping_chain), scope_.tag}, followed;
  for (const auto& engine : scope_.engines) {
    followed.push_back(engine.jump);
    if (!engine.has_prefix()) chains.push_back(engine.rules);
  }
  chains.insert(chains.end(), own_chains_.begin(), own_chains_.end());
  return read_nft_nat(chains, followed);
}

// Finds rules of ours in every chain.
async::task<base::result<>> table_reader::read_whole() {
  const auto whole = co_await read_text();
  if (!whole) co_return std::unexpected(whole.error());
  own_chains_ = chains_with_ours(*whole);
  whole_next_ = false;
  co_return base::result<>{};
}

// The last reading, unless rules may have changed since.
std::optional<table_ptr> table_reader::find_current(std::optional<std::uint32_t> generation) const {
  if (!known_ || !generation || generation != known_generation_) return std::nullopt;
  return known_->second;
}

async::task<base::result<table_ptr>> table_reader::read_nft() {
  base::result<table_ptr> last = base::fail(std::errc::resource_unavailable_try_again, "the rules keep changing");
  for (int attempt = 1; attempt <= attempts; ++attempt) {
    const auto generation = generation_now();
    if (auto current = find_current(generation)) co_return std::move(*current);
    auto view = read_view();
    if (!view && is_passing(view.error())) {
      last = std::unexpected(view.error());
      continue;
    }
    if (!view && is_without_nftables(view.error())) co_return nullptr;
    if (!view) {  // the kernel denies the dump: without a fingerprint the text is read every time
      seen_nft_.reset();
      auto whole = co_await read_text();
      co_return shared(std::move(whole));
    }
    if (whole_next_) {
      const auto whole = co_await read_whole();
      if (!whole) co_return std::unexpected(whole.error());
      continue;
    }
    const auto table = co_await read_nft_at(std::move(*view));
    if (!table) co_return std::unexpected(table.error());
    if (const auto& unchanged = *table) {
      known_generation_ = generation;
      co_return *unchanged;
    }
  }
  co_return last;
}

// Nothing if the rules changed while the text was read.
async::task<base::result<std::optional<table_ptr>>> table_reader::read_nft_at(nft_nat_view view) {
  seen_nft_ = view.fingerprint;
  if (known_ && known_->first == view.fingerprint) co_return known_->second;
  auto table = co_await read_nft_chains(view);
  if (!table) co_return std::unexpected(table.error());
  const auto after = read_view();
  if (!after || after->fingerprint != view.fingerprint || !complete(*table, view)) co_return std::nullopt;
  own_chains_ = chains_with_ours(*table);
  known_.emplace(view.fingerprint, std::make_shared<const nat_table>(std::move(*table)));
  co_return known_->second;
}

// The program fails if a chain disappears meanwhile, and a version that does not list chains in this way fails too.
async::task<base::result<nat_table>> table_reader::read_nft_chains(nft_nat_view view) {
  std::vector<std::string> names;
  for (auto& c : view.chains) names.push_back(std::move(c.name));
  if (names.empty()) co_return nat_table{};
  auto table = co_await tool_.read_chains(std::move(names));
  if (table || table.error().code) co_return table;
  co_return co_await read_text();
}

// The kernel announces no change of a legacy table: a reading counts if the table is the same before and after it.
async::task<base::result<table_ptr>> table_reader::read_legacy() {
  const auto there = has_legacy_nat(family::ipv4);
  if (!there) co_return std::unexpected(there.error());
  seen_legacy_ = co_await read_legacy_fingerprint();
  const auto before = seen_legacy_;
  if (!*there) co_return nullptr;
  if (before && known_ && known_->first == *before) co_return known_->second;
  known_.reset();
  auto text = co_await read_text();
  auto table = shared(std::move(text));
  if (!table || !before) co_return table;
  const auto after = co_await read_legacy_fingerprint();
  if (after == before) known_.emplace(*before, *table);
  co_return table;
}

async::task<table_reader::fingerprint> table_reader::read_legacy_fingerprint() {
  if (variant() == nat_variant::nft) co_return std::nullopt;
  legacy_.begin_reading();
  const auto there = has_legacy_nat(family::ipv4);
  if (!there) co_return std::nullopt;
  if (!*there) co_return 0;
  auto read = [] { return legacy_nat_fingerprint(); };
  const auto now = co_await blocking_.run(read, kernel_limit);
  legacy_.end_reading();
  co_return now ? fingerprint(*now) : std::nullopt;
}

async::task<base::result<std::vector<pid_t>>> table_reader::change(table_change change) {
  known_.reset();
  seen_nft_.reset();
  seen_legacy_.reset();
  own_chains_.insert(change.grown.begin(), change.grown.end());
  std::vector<pid_t> by;
  if (!change.lines.empty()) {
    const auto changed = co_await run_lines(std::move(change.lines));
    if (!changed) co_return std::unexpected(changed.error());
    by.push_back(*changed);
  }
  if (!change.removals.empty()) {
    auto remove = [places = std::move(change.removals)] { return remove_nft_rules(table_name, places); };
    const auto removed = co_await blocking_.run(std::move(remove), kernel_limit);
    if (!removed) co_return std::unexpected(removed.error());
    by.push_back(*removed);
  }
  co_return by;
}

async::task<base::result<pid_t>> table_reader::run_lines(std::vector<std::string> lines) {
  if (const auto added = co_await add_by_netlink(lines)) co_return *added;
  co_return co_await tool_.change(std::move(lines));
}

// Nothing if the program is to run the lines. If it is unknown what the kernel did, they must not run twice.
async::task<std::optional<base::result<pid_t>>> table_reader::add_by_netlink(const std::vector<std::string>& lines) {
  if (variant() != nat_variant::nft) co_return std::nullopt;
  auto request = addition_request(table_name, lines);
  if (!request) co_return std::nullopt;
  auto add = [request = std::move(*request), count = lines.size()]() mutable {
    return add_nft_rules(std::move(request), count);
  };
  auto added = co_await blocking_.run(std::move(add), kernel_limit);
  if (added || !is_nothing_added(added.error())) co_return added;
  if (!std::exchange(refusal_noted_, true))
    base::log::info("netfilter", "iptables-nft-restore adds rules instead of netlink reason=\"{}\"",
                    added.error().message());
  co_return std::nullopt;
}

base::result<> table_reader::remove_stale(const std::function<bool(const nat_rule&)>& is_stale) const {
  if (variant() != nat_variant::nft) return {};
  const auto stale = find_tagged(scope_.tag, {scope_.tag}, is_stale);
  if (!stale) return std::unexpected(stale.error());
  const auto removed = remove_nft_rules(table_name, *stale);
  return removed ? base::result<>{} : std::unexpected(removed.error());
}

bool table_reader::nft_changed() const {
  if (variant() == nat_variant::legacy) return false;
  const auto now = read_view();
  return !now || now->fingerprint != seen_nft_;
}

async::task<bool> table_reader::legacy_changed() {
  if (variant() == nat_variant::nft) co_return false;
  const auto now = co_await read_legacy_fingerprint();
  const auto before = std::exchange(seen_legacy_, now);
  co_return !now || !before || *now != *before;
}

std::set<std::string> table_reader::chains_with_ours(const nat_table& table) const {
  std::set<std::string> chains;
  const auto mark = scope_.tag + ':';
  for (const auto& r : table.rules)
    if (comment_of(r).starts_with(mark)) chains.insert(r.chain);
  return chains;
}

}  // namespace netfilter
