#include "http/slot_table.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace http {

slot_table::group_map slot_table::groups(bool standing) const {
  group_map all;
  for (const auto& [connection, e] : entries_) {
    const bool counts = standing ? e.is == state::standing : e.is == state::waiting || e.is == state::leaving;
    if (!counts) continue;
    auto& g = all[e.caller];
    if (g.count++ == 0 || e.last_use < g.first_use) {
      g.first = connection;
      g.first_use = e.last_use;
    }
  }
  return all;
}

slot_table::admission slot_table::instead_of(id victim, time_point now) const {
  const auto& e = entries_.at(victim);
  if (now < e.turn_ends) return {.again = e.turn_ends};
  return {.granted = true, .victim = victim};
}

slot_table::admission slot_table::admit(time_point now) const {
  if (entries_.size() < slots_) return {.granted = true};
  const auto all = groups(false);
  const auto most = std::ranges::max_element(all, {}, [](const auto& one) { return one.second.count; });
  if (most == all.end()) return {};
  return instead_of(most->second.first, now);
}

void slot_table::use(entry& e, time_point now) {
  e.last_use = ++uses_;
  e.turn_ends = now + turn;
}

void slot_table::enter(id connection, std::string caller, time_point now) {
  auto& e = entries_[connection];
  e.caller = std::move(caller);
  use(e, now);
}

void slot_table::leave(id connection) {
  const auto at = entries_.find(connection);
  if (at == entries_.end()) return;
  if (at->second.is == state::standing) --standing_;
  entries_.erase(at);
}

slot_table::admission slot_table::place_among_standing(const std::string& caller, time_point now) const {
  if (standing_ < most_standing_) return {.granted = true};
  const auto all = groups(true);
  const auto most = std::ranges::max_element(all, {}, [](const auto& one) { return one.second.count; });
  if (most == all.end()) return {};
  const auto own = all.find(caller);
  const auto own_count = own == all.end() ? 0 : own->second.count;
  if (most->second.count >= own_count + 2) return instead_of(most->second.first, now);
  return own == all.end() ? admission{} : instead_of(own->second.first, now);
}

slot_table::admission slot_table::stand(id connection, time_point now) {
  auto& mine = entries_.at(connection);
  use(mine, now);
  if (mine.is == state::standing) return {.granted = true};
  const auto place = place_among_standing(mine.caller, now);
  mine.is = place.granted ? state::standing : state::leaving;
  if (place.granted) ++standing_;
  return place;
}

void slot_table::answered(id connection) {
  const auto at = entries_.find(connection);
  if (at != entries_.end() && at->second.is == state::standing) at->second.turn_ends = {};
}

void slot_table::stream(id connection) {
  auto& e = entries_.at(connection);
  if (e.is == state::standing) --standing_;
  e.is = state::streaming;
}

}  // namespace http
