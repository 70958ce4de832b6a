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
  unanswered_.clear();
  in_doubt_.clear();
  listed_ = false;
}

void container_set::store(container c) {
  auto& place = running_[c.id];
  if (place == c) return;
  place = std::move(c);
  changed_ = true;
}

void container_set::erase(const std::string& id) { changed_ = running_.erase(id) > 0 || changed_; }

void container_set::settle(const std::string& id) {
  unanswered_.erase(id);
  changed_ = in_doubt_.erase(id) > 0 || changed_;
}

void container_set::started(const std::string& id) {
  touched_.insert(id);
  wanted_[id] = ++round_;
  unanswered_.erase(id);
}

void container_set::ended(const std::string& id) {
  touched_.insert(id);
  wanted_.erase(id);
  settle(id);
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
    if (!unanswered_.contains(id) && under_way_.insert(id).second) return question{id, round};
  return std::nullopt;
}

void container_set::unanswered(const question& q) {
  under_way_.erase(q.id);
  const auto wanted = wanted_.find(q.id);
  if (wanted == wanted_.end() || wanted->second != q.round) return;
  unanswered_.insert(q.id);
  changed_ = in_doubt_.insert(q.id).second || changed_;
}

// A later event has made this answer stale where the round is another one, or none; then it is asked again, or not at
// all.
void container_set::answered(const question& q, std::optional<container> now) {
  under_way_.erase(q.id);
  const auto wanted = wanted_.find(q.id);
  if (wanted == wanted_.end() || wanted->second != q.round) return;
  wanted_.erase(wanted);
  settle(q.id);
  if (now && now->id == q.id)
    store(std::move(*now));
  else
    erase(q.id);
}

ports::snapshot container_set::snapshot() const {
  ports::snapshot s;
  const auto refuse = [&s](ports::refusal r) {
    if (s.refusals.size() < max_refusals) s.refusals.push_back(std::move(r));
  };
  for (const auto& [id, c] : running_) {
    if (c.bindings.size() <= ports::max_bindings - s.bindings.size())
      s.bindings.insert(s.bindings.end(), c.bindings.begin(), c.bindings.end());
    else
      refuse({id, "all of its ports", "the containers publish more than can be forwarded"});
    for (const auto& r : c.refusals) refuse(r);
  }
  for (const auto& id : in_doubt_) refuse({id, "container", "the engine cannot tell its state; it is asked again"});
  return s;
}

}  // namespace containers
