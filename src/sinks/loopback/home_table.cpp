#include "sinks/loopback/home_table.hpp"

#include "base/log.hpp"

namespace loopback {

base::result<> home_table::choose(const table_views& views, const wanted_ports& wanted,
                                  const netfilter::nat_tables& tables) {
  if (index_ && !views[*index_]) return std::unexpected(views[*index_].error());
  std::optional<std::size_t> engines, first;
  std::size_t most = 0;
  const base::error* unreadable = nullptr;
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (!views[i] && !index_) unreadable = &views[i].error();
    if (!views[i] || !*views[i]) continue;
    if (!first) first = i;
    const auto& rules = (*views[i])->engines;
    const auto published = count_published(rules, wanted);
    if (!rules.active() || (engines && published <= most)) continue;
    engines = i;
    most = published;
  }
  if (unreadable != nullptr && !engines) return std::unexpected(*unreadable);
  note(engines ? engines : first, engines.has_value(), tables);
  return {};
}

void home_table::note(std::optional<std::size_t> index, bool engine, const netfilter::nat_tables& tables) {
  constexpr const char* component = "loopback";
  if (engine && (index != index_ || !has_engine_))
    base::log::info(component, "an engine publishes by iptables rules variant={}", to_string(tables.variant(*index)));
  if (!engine && has_engine_) base::log::info(component, "no engine publishes by iptables rules any more");
  index_ = index;
  has_engine_ = engine;
}

}  // namespace loopback
