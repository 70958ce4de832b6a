#include "kernel/netfilter/nat_tables.hpp"

#include <algorithm>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/legacy_watch.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "kernel/netfilter/table_change.hpp"
#include "kernel/netfilter/table_scope.hpp"
#include "kernel/netlink/change_watch.hpp"

namespace netfilter {

nat_tables::nat_tables(const async::executor& where, const std::vector<nat_programs>& programs,
                       const table_scope& scope, legacy_watch_options legacy, std::string component)
    : legacy_(where, std::move(legacy), std::move(component)) {
  for (const auto& one : programs) readers_.emplace_back(one, scope, legacy_);
  if (auto watch = netlink::change_watch::open(where))
    watch_ = std::make_unique<netlink::change_watch>(std::move(*watch));
}

async::task<nat_tables::reading> nat_tables::read() {
  reading all;
  for (auto& one : readers_) {
    auto table = co_await one.read();
    all.push_back(std::move(table));
  }
  co_return all;
}

void nat_tables::reread_whole() {
  for (auto& one : readers_) one.reread_whole();
}

async::task<base::result<>> nat_tables::change(std::size_t index, table_change change) {
  const auto changed = co_await readers_[index].change(std::move(change));
  if (!changed) co_return std::unexpected(changed.error());
  for (const auto process : *changed)
    if (watch_) watch_->ignore(process);
  co_return base::result<>{};
}

async::task<base::result<table_change>> nat_tables::leftovers(std::size_t index) {
  co_return co_await readers_[index].leftovers();
}

bool nat_tables::is_any_gone() const {
  return std::ranges::any_of(readers_, [](const auto& table) { return table.is_gone(); });
}

base::result<> nat_tables::remove_stale(std::size_t index, const std::function<bool(const nat_rule&)>& is_stale) const {
  return readers_[index].remove_stale(is_stale);
}

async::task<> nat_tables::notified() { co_await watch_->changed(); }

bool nat_tables::nft_changed() const {
  return std::ranges::any_of(readers_, [](const auto& table) { return table.is_back() || table.nft_changed(); });
}

bool nat_tables::has_legacy() const {
  return std::ranges::any_of(readers_, [](const auto& table) { return table.variant() != nat_variant::nft; });
}

async::task<> nat_tables::legacy_changed() {
  bool news = false;
  while (!news) {
    co_await legacy_.changed();
    for (auto& table : readers_) {
      const bool differs = co_await table.legacy_changed();
      news = news || differs;
    }
  }
}

}  // namespace netfilter
