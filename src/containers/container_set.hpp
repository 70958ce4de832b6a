// container_set: which containers run with which ports, put together from a list, from events, and from answers to
// questions about single containers, in whatever order they arrive. Pure.
//
// The order of truth: events are subscribed to before the list is asked for, so an event that has been seen is newer
// than the list. An end needs no question: the container is gone. A start makes a question necessary, and an answer
// counts only if no later event about that container has been seen since it was asked.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "containers/container.hpp"

namespace containers {

// A question about one container, to be answered by answered() with the same numbers.
struct question {
  std::string id;
  std::uint64_t round = 0;
};

class container_set {
 public:
  // A new connection: what is known stays until the list is there, questions under way are void.
  void reset();

  void started(const std::string& id);
  void ended(const std::string& id);
  // The answer to the list that was asked for after the last reset() or begin_list().
  void listed(container_list now);
  // A list is about to be asked for: events from now on are newer than it. So are those of the time since the list
  // before: an engine tells that a container has ended somewhat before its list does.
  void begin_list() { touched_before_ = std::exchange(touched_, {}); }

  // The next question to ask; at most one for each container is under way.
  [[nodiscard]] std::optional<question> next_question();
  // The engine cannot tell at present: what is known stays, and it is asked again after ask_unanswered_again(), or when
  // something happens to the container.
  void unanswered(const question& q);
  [[nodiscard]] bool has_unanswered() const { return !unanswered_.empty(); }
  void ask_unanswered_again() { unanswered_.clear(); }
  // Nothing: the container does not run, or there is none.
  void answered(const question& q, std::optional<container> now);

  // True once the first list since reset() is in: before, snapshot() is what an earlier connection knew.
  [[nodiscard]] bool listed_once() const { return listed_; }
  // True if it has changed since this was asked last.
  [[nodiscard]] bool take_changed() { return std::exchange(changed_, false); }
  // Bindings of all containers, at most ports::max_bindings, and what was refused; the caller sets the epoch.
  [[nodiscard]] ports::snapshot snapshot() const;

 private:
  void settle(const std::string& id);
  void store(container c);
  void erase(const std::string& id);

  [[nodiscard]] bool newer_than_list(const std::string& id) const {
    return touched_.contains(id) || touched_before_.contains(id);
  }

  std::map<std::string, container> running_;
  std::set<std::string> touched_;                // by events since begin_list()
  std::set<std::string> touched_before_;         // by events between the list before and begin_list()
  std::map<std::string, std::uint64_t> wanted_;  // questions to ask or under way, by round
  std::set<std::string> under_way_;
  std::set<std::string> unanswered_;  // of wanted_: not now
  std::set<std::string> in_doubt_;    // the last question had no answer
  std::uint64_t round_ = 0;
  bool listed_ = false;
  bool changed_ = false;
};

}  // namespace containers
