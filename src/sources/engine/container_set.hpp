// container_set: the running containers and their ports, put together from lists, events, and answers to questions
// about single containers, in any order of arrival. Pure; time is an argument.
//
// Theory of operation. The subscription comes before the list, so an event is newer than the list. An engine also
// reports an event somewhat before its list shows it: events of the two seconds before the request are newer, too. If
// such an event and the list disagree, the set asks about the container. An end needs no question: the container is
// gone. Every other event needs one, and its answer counts only if no later event about the container came meanwhile.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sources/engine/container.hpp"
#include "sources/engine/question_queue.hpp"

namespace engine {

// By id: whether the container is stopped now.
using stopped_changes = std::map<std::string, bool>;

class container_set {
 public:
  // `questions`: how many are under way at most; half of them may be retries.
  explicit container_set(unsigned questions = 4) : questions_(questions > 1 ? questions / 2 : 1) {}

  // For a new connection: the containers stay until its first list, questions under way are void.
  void reset();

  // The container may have started, or its ports or name may have changed. False: there are too many questions, and a
  // list has to replace this one.
  [[nodiscard]] bool ask_about(const std::string& id, time_point now);
  void ended(const std::string& id, time_point now);
  // Before a list is requested.
  void begin_list(time_point now);
  // The list that was requested after the last reset() or begin_list().
  void listed(container_list list, time_point now);

  // The next question to ask; at most one for each container is under way.
  [[nodiscard]] std::optional<question> next_question(time_point now) { return questions_.next(now); }
  // When to call next_question() again unless something changes; max: never.
  [[nodiscard]] time_point next_question_due() const { return questions_.next_due(); }
  // The engine does not know at present: the container stays as it is, and the question is repeated later.
  void unanswered(const question& q, std::string why, time_point now);
  // Nothing: the container does not run or does not exist.
  void answered(const question& q, std::optional<container> now);

  // True once the first list since reset() is in. Before, snapshot() is the state of an earlier connection.
  [[nodiscard]] bool listed_once() const { return listed_; }
  // True if the snapshot has changed since the last call.
  [[nodiscard]] bool take_changed() { return std::exchange(changed_, false); }
  // Bindings of all containers, at most ports::max_bindings, and the refusals; the caller sets the epoch.
  [[nodiscard]] ports::snapshot snapshot() const;
  // The containers that the engine knows, or knew a moment ago, and that do not run. A container stays in the set
  // during a question, until the engine reports that it runs, or does not answer.
  [[nodiscard]] const std::set<std::string>& stopped() const { return stopped_; }
  // After a long silence of the engine, in which any of them may have started.
  void forget_stopped();
  // The changes of stopped() since the last call.
  [[nodiscard]] stopped_changes take_stopped_changes() { return std::exchange(stopped_changes_, {}); }

 private:
  void store(container c);
  void erase(const std::string& id);
  void note_stopped(const std::string& id);
  void note_running(const std::string& id);
  void drop_question(const std::string& id);
  void touch(const std::string& id, time_point now);
  void ask_unless_asked(const std::string& id, time_point now);
  void list_running(container c, time_point now);
  void list_absent(const std::set<std::string>& named, time_point now);

  [[nodiscard]] bool newer_than_list(const std::string& id) const { return touched_.contains(id); }

  std::map<std::string, container> running_;
  std::set<std::string> stopped_;
  std::map<std::string, time_point> touched_;  // the last event, if it may be newer than the list
  question_queue questions_;
  bool listing_ = false;
  bool listed_ = false;
  bool changed_ = false;
  stopped_changes stopped_changes_;
};

}  // namespace engine
