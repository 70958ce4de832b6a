#include "containers/container_set.hpp"

namespace containers {
namespace {

constexpr std::size_t max_refusals = 256;

}  // namespace

void container_set::reset() {
  touched_.clear();
  touched_before_.clear();
  wanted_.clear();
  under_way_.clear();
  listed_ = false;
}

void container_set::store(container c) {
  auto& place = running_[c.id];
  if (place == c) return;
  place = std::move(c);
  changed_ = true;
}

void container_set::erase(const std::string& id) { changed_ = running_.erase(id) > 0 || changed_; }

void container_set::started(const std::string& id) {
  touched_.insert(id);
  wanted_[id] = ++round_;
}

void container_set::ended(const std::string& id) {
  touched_.insert(id);
  wanted_.erase(id);
  erase(id);
}

void container_set::listed(container_list now) {
  auto named = std::move(now.unknown);
  for (auto& c : now.running) {
    named.insert(c.id);
    if (!newer_than_list(c.id)) store(std::move(c));
  }
  for (auto at = running_.begin(); at != running_.end();) {
    const auto here = at++;
    if (!named.contains(here->first) && !newer_than_list(here->first)) erase(std::string(here->first));
  }
  changed_ = changed_ || !listed_;
  listed_ = true;
}

std::optional<question> container_set::next_question() {
  for (const auto& [id, round] : wanted_)
    if (under_way_.insert(id).second) return question{id, round};
  return std::nullopt;
}

// A later event has made this answer stale where the round is another one, or none; then it is asked again, or not at
// all.
void container_set::answered(const question& q, std::optional<container> now) {
  under_way_.erase(q.id);
  const auto wanted = wanted_.find(q.id);
  if (wanted == wanted_.end() || wanted->second != q.round) return;
  wanted_.erase(wanted);
  if (now && now->id == q.id)
    store(std::move(*now));
  else
    erase(q.id);
}

ports::snapshot container_set::snapshot() const {
  ports::snapshot s;
  for (const auto& [id, c] : running_) {
    s.bindings.insert(s.bindings.end(), c.bindings.begin(), c.bindings.end());
    for (const auto& r : c.refusals)
      if (s.refusals.size() < max_refusals) s.refusals.push_back(r);
  }
  return s;
}

}  // namespace containers
