// home_table: which variant of iptables gets our rules: the one in which an engine publishes. Without an engine it is
// the first variant that the kernel has. Logs when the engine appears, disappears or changes its variant.
// Where the programs of its variant are gone, it is unknown whether it disappeared.
#pragma once

#include <optional>

#include "sinks/loopback/table_view.hpp"

namespace loopback {

class home_table {
 public:
  // An engine that was switched to the other variant leaves its old chains behind. So the table that publishes more of
  // the wanted ports counts, and the first of two equal ones. Fails, and keeps the choice, if the right table may be
  // one that cannot be read now. `tables` names the variants.
  base::result<> choose(const table_views& views, const wanted_ports& wanted, const netfilter::nat_tables& tables);

  // Nothing: the kernel has no variant, or none is chosen yet.
  [[nodiscard]] std::optional<std::size_t> index() const { return index_; }

 private:
  void note(std::optional<std::size_t> index, bool engine, const netfilter::nat_tables& tables);

  std::optional<std::size_t> index_;
  bool has_engine_ = false;
};

}  // namespace loopback
