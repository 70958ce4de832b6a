// question_queue: which containers to ask an engine about, and when. Pure.
//
// Theory of operation. Questions are asked in the order of the changes, at most one for each container at a time. A
// question without an answer is retried after a pause of its own, which grows. Retries take only a part of the
// concurrent questions, so an engine that hangs on some containers still answers about others. A container that changes
// during a question is asked about again: `round` distinguishes the answers.
//
// Bounded: at most max_questions containers; add() reports that it had to drop one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace engine {

using time_point = std::chrono::steady_clock::time_point;

// A question about one container; its answer carries the same numbers.
struct question {
  std::string id;
  std::uint64_t round = 0;
  unsigned failures = 0;  // how many times it had no answer
};

class question_queue {
 public:
  static constexpr std::size_t max_questions = 65'536;

  explicit question_queue(unsigned most_retries) : most_retries_(most_retries) {}

  // Forgets everything; answers to questions under way do not count.
  void clear();
  // The container has changed: the answer to a question under way does not count. False: the queue is full.
  [[nodiscard]] bool add(const std::string& id, time_point now);
  // The question is no longer needed.
  void drop(const std::string& id);
  [[nodiscard]] bool contains(const std::string& id) const;
  [[nodiscard]] bool in_doubt(const std::string& id) const;  // the last question had no answer

  // The next question, if one is due.
  [[nodiscard]] std::optional<question> next(time_point now);
  // When to call next() again unless something changes; max: never.
  [[nodiscard]] time_point next_due() const;

  // Whether the answer counts. If not, and the container has changed since, the question is repeated.
  [[nodiscard]] bool answered(const question& q);
  // The engine does not know at present.
  void unanswered(const question& q, std::string why, time_point now);

  // Calls visit(id, why) for each container in doubt. `why` is nullptr for containers that wait for their first
  // question meanwhile.
  template <class Visit>
  void visit_unanswered(Visit visit) const {
    for (const auto& [id, e] : entries_)
      if (e.wanted && !e.why.empty()) visit(id, &e.why);
    if (in_doubt_ == 0) return;
    for (const auto& [due, round, id] : first_)
      if (entries_.at(id).why.empty()) visit(id, static_cast<const std::string*>(nullptr));
  }
  [[nodiscard]] std::vector<std::string> ids() const;

 private:
  using place = std::tuple<time_point, std::uint64_t, std::string>;  // due, round, id
  struct entry {
    std::uint64_t round = 0;
    time_point since{};  // of the change that is asked about
    unsigned failures = 0;
    bool wanted = true;
    bool under_way = false, retried = false;
    std::string why;  // the last question had no answer
    std::optional<place> queued;
  };
  void enqueue(const std::string& id, entry& e, time_point due);
  void dequeue(entry& e);
  void set_why(entry& e, std::string why);
  // The entry of a question that has come back, if that round is still wanted.
  entry* take_back(const question& q);

  unsigned most_retries_;
  unsigned retries_ = 0;  // under way
  std::size_t in_doubt_ = 0;
  std::uint64_t round_ = 0;
  std::map<std::string, entry> entries_;
  std::set<place> first_, again_;  // those that wait, oldest first
};

}  // namespace engine
