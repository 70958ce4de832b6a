// table_view: the nat table of one variant of iptables as read last, and what its rules mean. Built once for each
// reading. Pure.
#pragma once

#include <optional>
#include <vector>

#include "kernel/netfilter/nat_tables.hpp"
#include "kernel/netfilter/own_rules.hpp"
#include "sinks/loopback/engine_rules.hpp"

namespace loopback {

struct table_view {
  // The options outlive it.
  table_view(netfilter::table_ptr read, const rule_options& options)
      : table(std::move(read)), own(*table, options.tag), engines(*table, options) {}

  netfilter::table_ptr table;  // the other two point into it
  netfilter::own_rules own;
  engine_rules engines;
};

// One for each variant: an error if its table cannot be read, nothing if the kernel does not have the variant.
using table_views = std::vector<base::result<std::optional<table_view>>>;

// nullptr: it cannot be read, or the kernel does not have it.
[[nodiscard]] inline const table_view* find_view(const table_views::value_type& read) {
  if (!read) return nullptr;
  const auto& view = *read;
  return view ? &*view : nullptr;
}

[[nodiscard]] inline table_views view_all(const netfilter::nat_tables::reading& read, const rule_options& options) {
  table_views views;
  for (const auto& table : read) {
    if (!table)
      views.emplace_back(std::unexpected(table.error()));
    else if (*table == nullptr)
      views.emplace_back(std::nullopt);
    else
      views.emplace_back(table_view(*table, options));
  }
  return views;
}

}  // namespace loopback
