// container_set: which containers run with which ports, put together from a list, from events, and from answers to
// questions about single containers, in whatever order they arrive. Pure; time is an argument.
//
// The order of truth: events are subscribed to before the list is asked for, so an event that has been seen is newer
// than the list. An engine also reports an event somewhat before its list shows it: events of the last two seconds
// before the list was asked for are newer, too. Where such an event and the list disagree, the container is asked
// about. An end needs no question: the container is gone. Anything else makes one necessary, and an answer counts only
// if no later event about that container has been seen since it was asked.
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
  // `questions`: how many are under way at most. Half of them may be retries.
  explicit container_set(unsigned questions = 4) : questions_(questions > 1 ? questions / 2 : 1) {}

  // A new connection: what is known stays until the list is there, questions under way are void.
  void reset();

  // It may have started, or its ports or its name may have changed. False: there are too many questions already, and a
  // list has to answer this one.
  [[nodiscard]] bool ask_about(const std::string& id, time_point now);
  void ended(const std::string& id, time_point now);
  // A list is about to be asked for.
  void begin_list(time_point now);
  // The answer to the list that was asked for after the last reset() or begin_list().
  void listed(container_list list, time_point now);

  // The next question to ask; at most one for each container is under way.
  [[nodiscard]] std::optional<question> next_question(time_point now) { return questions_.next(now); }
  // When to ask for it again unless something changes; max: not at all.
  [[nodiscard]] time_point next_question_due() const { return questions_.next_due(); }
  // The engine cannot tell at present: what is known stays, and it is asked again later.
  void unanswered(const question& q, std::string why, time_point now);
  // Nothing: the container does not run, or there is none.
  void answered(const question& q, std::optional<container> now);

  // True once the first list since reset() is in: before, snapshot() is what an earlier connection knew.
  [[nodiscard]] bool listed_once() const { return listed_; }
  // True if it has changed since this was asked last.
  [[nodiscard]] bool take_changed() { return std::exchange(changed_, false); }
  // Bindings of all containers, at most ports::max_bindings, and what was refused; the caller sets the epoch.
  [[nodiscard]] ports::snapshot snapshot() const;
  // Those that the engine knows, or knew a moment ago, and that do not run. One that is asked about stays among them
  // until the engine says that it runs, or does not answer.
  [[nodiscard]] const std::set<std::string>& stopped() const { return stopped_; }
  // The engine has been silent for so long that any of them may have started.
  void forget_stopped();
  // What has changed in it since this was asked last.
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
  std::map<std::string, time_point> touched_;  // the last event, where it may be newer than the list
  question_queue questions_;
  bool listing_ = false;
  bool listed_ = false;
  bool changed_ = false;
  stopped_changes stopped_changes_;
};

}  // namespace engine
