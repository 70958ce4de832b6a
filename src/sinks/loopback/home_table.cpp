#include "sinks/loopback/home_table.hpp"

#include <algorithm>
#include <cstddef>
#include <expected>
#include <optional>

#include "base/log.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/nat_tables.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "sinks/loopback/engine_rules.hpp"
#include "sinks/loopback/rule_options.hpp"
#include "sinks/loopback/table_view.hpp"

namespace loopback {
namespace {

// The table in which engines publish most of the wanted ports; of several, the first. Nothing if no engine publishes.
std::optional<std::size_t> with_most_published(const table_views& views, const wanted_ports& wanted) {
  std::optional<std::size_t> found;
  std::size_t most = 0;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const auto* const view = find_view(views[i]);
    if (view == nullptr || !view->engines.active()) continue;
    const auto published = count_published(view->engines, wanted);
    if (found && published <= most) continue;
    found = i;
    most = published;
  }
  return found;
}

}  // namespace

base::result<> home_table::choose(const table_views& views, const wanted_ports& wanted,
                                  const netfilter::nat_tables& tables) {
  if (index_ && !views[*index_]) return std::unexpected(views[*index_].error());
  if (const auto engines = with_most_published(views, wanted)) {
    note(engines, true, tables);
    return {};
  }
  const auto unreadable = std::ranges::find_if(views, [](const auto& view) { return !view; });
  if (!index_ && unreadable != views.end()) return std::unexpected(unreadable->error());
  const auto first = std::ranges::find_if(views, [](const auto& view) { return find_view(view) != nullptr; });
  note(first == views.end() ? std::nullopt : std::optional<std::size_t>(first - views.begin()), false, tables);
  return {};
}

void home_table::note(std::optional<std::size_t> index, bool engine, const netfilter::nat_tables& tables) {
  constexpr const char* component = "loopback";
  if (index && engine && (index != index_ || !has_engine_))
    base::log::info(component, "an engine publishes by iptables rules variant={}", to_string(tables.variant(*index)));
  const bool unknown = index_ && tables.is_gone(*index_);
  if (!engine && has_engine_ && !unknown) base::log::info(component, "no engine publishes by iptables rules any more");
  index_ = index;
  has_engine_ = engine;
}

}  // namespace loopback
