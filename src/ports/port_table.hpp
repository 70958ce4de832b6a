// port_table: the merge of what all sources say. Pure: no I/O, no clock.
//
// Every source owns one slice, replaced whole by publish(). Claims of one key are kept together, the best ranked first
// (by the source's rank, then the binding's own order), so the key is exposed once and stays until its last claim goes.
// A degraded source keeps its last slice.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "ports/snapshot.hpp"
#include "ports/source_id.hpp"

namespace ports {

struct claim {
  source_id source;
  binding what;

  auto operator<=>(const claim&) const = default;
};

struct source_state {
  bool enabled = false;
  bool reported = false;               // has published at least once
  std::optional<base::error> trouble;  // why it is degraded; empty while it is well
  snapshot last;
};

class port_table {
 public:
  using claims_by_key = std::map<port_key, std::vector<claim>>;

  // Only enabled sources are waited for, see settled(). Throws std::logic_error where another source has the rank.
  void enable(source_id id);

  // Replaces the slice of `id`. False if nothing changed by it, the epoch included.
  bool publish(source_id id, snapshot now);
  void degraded(source_id id, base::error why);

  [[nodiscard]] const claims_by_key& ports() const { return ports_; }
  // A source that is neither enabled nor has reported has the state of a new one.
  [[nodiscard]] const source_state& source(source_id id) const;
  [[nodiscard]] const std::map<source_id, source_state>& sources() const { return sources_; }

  // The sources whose silence means "nothing": those that have published, and those that are not enabled.
  [[nodiscard]] source_set settled() const;
  // Grows with each change on which a plan depends: not with what the status alone shows, as refusals and containers
  // without ports.
  [[nodiscard]] std::uint64_t revision() const { return revision_; }
  // Grows with every fresh start of any source, see snapshot::epoch.
  [[nodiscard]] std::uint64_t epoch() const;

 private:
  void replace(source_id id, const std::vector<binding>& before, const std::vector<binding>& after);

  std::map<source_id, source_state> sources_;
  claims_by_key ports_;
  std::uint64_t revision_ = 0;
};

}  // namespace ports
