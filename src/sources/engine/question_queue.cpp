#include "sources/engine/question_queue.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/backoff.hpp"

namespace engine {
namespace {

constexpr base::backoff pause{std::chrono::milliseconds(500), std::chrono::milliseconds(30'000), 0.0};

}  // namespace

void question_queue::clear() {
  entries_.clear();
  first_.clear();
  again_.clear();
  retries_ = 0;
  in_doubt_ = 0;
}

void question_queue::enqueue(const std::string& id, entry& e, time_point due) {
  e.queued = place{due, e.round, id};
  (e.failures == 0 ? first_ : again_).insert(*e.queued);
}

void question_queue::dequeue(entry& e) {
  if (!e.queued) return;
  first_.erase(*e.queued);
  again_.erase(*e.queued);
  e.queued.reset();
}

void question_queue::set_why(entry& e, std::string why) {
  in_doubt_ += why.empty() ? 0 : 1;
  in_doubt_ -= e.why.empty() ? 0 : 1;
  e.why = std::move(why);
}

// A container that waits for its first question keeps its place, however often it changes meanwhile.
bool question_queue::add(const std::string& id, time_point now) {
  if (!entries_.contains(id) && entries_.size() >= max_questions) return false;
  auto& e = entries_[id];
  const bool waits = e.queued && e.failures == 0;
  e.wanted = true;
  e.round = ++round_;
  if (waits) return true;
  e.since = now;
  dequeue(e);
  e.failures = 0;
  if (!e.under_way) enqueue(id, e, now);
  return true;
}

void question_queue::drop(const std::string& id) {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return;
  dequeue(at->second);
  set_why(at->second, "");
  at->second.wanted = false;
  if (!at->second.under_way) entries_.erase(at);
}

bool question_queue::contains(const std::string& id) const {
  const auto at = entries_.find(id);
  return at != entries_.end() && at->second.wanted;
}

bool question_queue::in_doubt(const std::string& id) const {
  const auto at = entries_.find(id);
  return at != entries_.end() && !at->second.why.empty();
}

std::vector<std::string> question_queue::ids() const {
  std::vector<std::string> all;
  for (const auto& [id, e] : entries_)
    if (e.wanted) all.push_back(id);
  return all;
}

std::optional<question> question_queue::next(time_point now) {
  const bool retry = !again_.empty() && std::get<time_point>(*again_.begin()) <= now && retries_ < most_retries_ &&
                     (first_.empty() || *again_.begin() < *first_.begin());
  if (!retry && first_.empty()) return std::nullopt;
  const auto id = std::get<std::string>(*(retry ? again_ : first_).begin());
  auto& e = entries_.at(id);
  dequeue(e);
  e.under_way = true;
  e.retried = retry;
  retries_ += retry ? 1 : 0;
  return question{id, e.round, e.failures};
}

time_point question_queue::next_due() const {
  if (!first_.empty()) return time_point::min();
  if (again_.empty() || retries_ >= most_retries_) return time_point::max();
  return std::get<time_point>(*again_.begin());
}

question_queue::entry* question_queue::take_back(const question& q) {
  const auto at = entries_.find(q.id);
  if (at == entries_.end() || !at->second.under_way) return nullptr;
  auto& e = at->second;
  e.under_way = false;
  retries_ -= std::exchange(e.retried, false) ? 1 : 0;
  if (e.wanted && e.round == q.round) return &e;
  if (e.wanted)
    enqueue(q.id, e, e.since);
  else
    entries_.erase(at);
  return nullptr;
}

bool question_queue::answered(const question& q) {
  if (take_back(q) == nullptr) return false;
  drop(q.id);
  return true;
}

void question_queue::unanswered(const question& q, std::string why, time_point now) {
  auto* e = take_back(q);
  if (e == nullptr) return;
  set_why(*e, why.empty() ? "unknown reason" : std::move(why));
  ++e->failures;
  enqueue(q.id, *e, now + pause.delay(e->failures, 0));
}

}  // namespace engine
