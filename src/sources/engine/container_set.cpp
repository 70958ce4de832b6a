#include "sources/engine/container_set.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/shared_text.hpp"
#include "ports/snapshot.hpp"
#include "sources/engine/container.hpp"
#include "sources/engine/question_queue.hpp"

namespace engine {
namespace {

constexpr std::size_t max_refusals = 256;
constexpr std::size_t max_stopped = 65'536;
constexpr std::size_t many_touched = 1'024;                   // from here on old ones are removed
constexpr std::chrono::milliseconds list_lags_events{2'000};  // on a busy machine; usually milliseconds

void add_portless(ports::snapshot& s, const base::shared_text& id, const base::shared_text& name) {
  if (s.without_ports.size() < ports::max_portless)
    s.without_ports.push_back({id, name});
  else
    ++s.more_without_ports;
}

}  // namespace

void container_set::reset() {
  touched_.clear();
  questions_.clear();
  listing_ = false;
  listed_ = false;
}

// Sorts the ports: engines list them in random order.
void container_set::store(container c) {
  note_running(c.id.str());
  std::ranges::sort(c.bindings);
  auto& place = running_[c.id.str()];
  if (place == c) return;
  place = std::move(c);
  changed_ = true;
}

void container_set::erase(const std::string& id) { changed_ = running_.erase(id) > 0 || changed_; }

void container_set::note_stopped(const std::string& id) {
  if (stopped_.size() < max_stopped && stopped_.insert(id).second) stopped_changes_[id] = true;
}

void container_set::note_running(const std::string& id) {
  if (stopped_.erase(id) > 0) stopped_changes_[id] = false;
}

void container_set::forget_stopped() {
  for (const auto& id : std::exchange(stopped_, {})) stopped_changes_[id] = false;
}

void container_set::drop_question(const std::string& id) {
  changed_ = changed_ || questions_.in_doubt(id);
  questions_.drop(id);
}

void container_set::touch(const std::string& id, time_point now) {
  touched_[id] = now;
  if (listing_ || touched_.size() < many_touched) return;
  std::erase_if(touched_, [now](const auto& t) { return t.second < now - list_lags_events; });
}

void container_set::begin_list(time_point now) {
  listing_ = true;
  std::erase_if(touched_, [now](const auto& t) { return t.second < now - list_lags_events; });
}

bool container_set::ask_about(const std::string& id, time_point now) {
  touch(id, now);
  return questions_.add(id, now);
}

void container_set::ended(const std::string& id, time_point now) {
  touch(id, now);
  drop_question(id);
  erase(id);
  note_stopped(id);
}

// If there are too many questions, another list follows.
void container_set::ask_unless_asked(const std::string& id, time_point now) {
  if (!questions_.contains(id)) static_cast<void>(questions_.add(id, now));
}

void container_set::list_running(container c, time_point now) {
  if (!newer_than_list(c.id.str())) {
    drop_question(c.id.str());
    return store(std::move(c));
  }
  std::ranges::sort(c.bindings);
  const auto known = running_.find(c.id.str());
  if (known == running_.end() || known->second != c) ask_unless_asked(c.id.str(), now);
}

void container_set::list_absent(const std::set<std::string>& named, time_point now) {
  for (const auto& id : questions_.ids())
    if (!named.contains(id) && !newer_than_list(id)) drop_question(id);
  for (auto at = running_.begin(); at != running_.end();) {
    const auto& id = (at++)->first;
    if (named.contains(id)) continue;
    if (newer_than_list(id))
      ask_unless_asked(id, now);
    else
      erase(std::string(id));
  }
}

void container_set::listed(container_list list, time_point now) {
  listing_ = false;
  auto named = std::move(list.unknown);
  for (const auto& id : named) ask_unless_asked(id, now);
  for (auto& c : list.running) {
    named.insert(c.id.str());
    list_running(std::move(c), now);
  }
  list_absent(named, now);
  std::erase_if(stopped_, [&](const auto& id) {
    const bool stale = !newer_than_list(id) && !list.stopped.contains(id);
    if (stale) stopped_changes_[id] = false;
    return stale;
  });
  for (const auto& id : list.stopped)
    if (!newer_than_list(id)) note_stopped(id);
  changed_ = changed_ || !listed_;
  listed_ = true;
}

// The container may run by now.
void container_set::unanswered(const question& q, std::string why, time_point now) {
  note_running(q.id);
  questions_.unanswered(q, std::move(why), now);
  changed_ = true;
}

// An answer does not count if a later event has made it stale: the question is repeated, or dropped.
void container_set::answered(const question& q, std::optional<container> now) {
  if (!questions_.answered(q)) return;
  changed_ = changed_ || q.failures > 0;  // it was in doubt
  if (now && now->id.str() == q.id) return store(std::move(*now));
  erase(q.id);
  note_stopped(q.id);
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
    if (c.bindings.empty()) add_portless(s, c.id, c.name);
  }
  questions_.visit_unanswered([&](const std::string& id, const std::string* why) {
    refuse({id, "container",
            why == nullptr ? "waiting: the engine does not answer about other containers"
                           : "the engine does not report its state, retrying: " + *why});
  });
  return s;
}

}  // namespace engine
