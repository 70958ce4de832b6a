#include "http/slot_table.hpp"

#include <algorithm>
#include <utility>

namespace http {

std::map<std::string, slot_table::group> slot_table::groups(bool standing) const {
  std::map<std::string, group> all;
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

slot_table::admission slot_table::admit() const {
  if (entries_.size() < slots_) return {.granted = true, .victim = std::nullopt};
  const auto all = groups(false);
  const auto most = std::ranges::max_element(all, {}, [](const auto& one) { return one.second.count; });
  if (most == all.end()) return {};
  return {.granted = true, .victim = most->second.first};
}

void slot_table::enter(id connection, std::string caller) {
  entries_[connection] = {.caller = std::move(caller), .is = state::waiting, .last_use = ++uses_};
}

void slot_table::leave(id connection) {
  const auto at = entries_.find(connection);
  if (at == entries_.end()) return;
  if (at->second.is == state::standing) --standing_;
  entries_.erase(at);
}

slot_table::admission slot_table::stand(id connection) {
  auto& mine = entries_.at(connection);
  mine.last_use = ++uses_;
  if (mine.is == state::standing) return {.granted = true, .victim = std::nullopt};
  admission granted{.granted = true, .victim = std::nullopt};
  if (standing_ >= most_standing_) {
    const auto all = groups(true);
    const auto most = std::ranges::max_element(all, {}, [](const auto& one) { return one.second.count; });
    const auto own = all.find(mine.caller);
    const auto own_count = own == all.end() ? 0 : own->second.count;
    granted = {.granted = most != all.end() && most->second.count >= own_count + 2, .victim = std::nullopt};
    if (granted.granted) granted.victim = most->second.first;
  }
  mine.is = granted.granted ? state::standing : state::leaving;
  if (granted.granted) ++standing_;
  return granted;
}

void slot_table::stream(id connection) {
  auto& e = entries_.at(connection);
  if (e.is == state::standing) --standing_;
  e.is = state::streaming;
}

}  // namespace http
