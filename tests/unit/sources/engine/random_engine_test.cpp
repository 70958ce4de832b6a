// An engine that misbehaves at random: events, lists and answers are each true at their own moment and arrive later;
// events are lost, questions have no answer. The test checks the set's final state and when it is reached.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "sources/engine/container_set.hpp"

namespace engine {
namespace {

using namespace std::chrono_literals;

constexpr auto step_time = 100ms;
constexpr auto relist = 30s;       // how often the driver lists
constexpr auto list_takes = 1s;    // at most
constexpr auto answer_takes = 2s;  // at most; then it counts as unanswered
constexpr auto race = 2s;

container make(const std::string& id, std::uint16_t port) {
  return {id, "n", {{net::protocol::tcp, net::address::any_v4(), port, 80, id, "n"}}, {}};
}

class random_engine {
 public:
  using ports = std::map<std::string, std::uint16_t>;

  explicit random_engine(unsigned seed) : random_(seed) { set_.reset(); }

  // `quiet`: nothing happens any more in the engine, and it answers.
  void step(bool quiet) {
    now_ += step_time;
    if (!quiet && one_in(5)) change();
    while (!events_.empty() && (quiet || one_in(2))) deliver_event();
    drive_list();
    drive_questions(quiet);
  }
  [[nodiscard]] bool right() const {
    ports shown;
    for (const auto& b : set_.snapshot().bindings) shown[b.owner.str()] = b.host_port;
    return shown == running_;
  }
  [[nodiscard]] time_point now() const { return now_; }

 private:
  struct pending {
    question q;
    std::optional<container> answer;
    time_point due;
    bool hangs;
  };
  bool one_in(unsigned n) { return random_() % n == 0; }
  // Starts, ends, or changes its ports while it runs; every third event is lost.
  void change() {
    const std::string id(1, static_cast<char>('a' + random_() % 6));
    const bool ends = running_.contains(id) && one_in(2);
    if (ends)
      running_.erase(id);
    else
      running_[id] = static_cast<std::uint16_t>(1 + random_() % 1000);
    if (!one_in(3)) events_.emplace_back(id, ends);
  }
  void deliver_event() {
    const auto [id, ends] = events_.front();
    events_.pop_front();
    if (ends)
      set_.ended(id, now_);
    else
      EXPECT_TRUE(set_.ask_about(id, now_));
  }
  void drive_list() {
    if (list_ && now_ >= list_due_) {
      set_.listed(std::move(*list_), now_);
      list_.reset();
      next_list_ = now_ + relist;
    }
    if (list_ || now_ < next_list_) return;
    set_.begin_list(now_);
    list_.emplace();
    for (const auto& [id, port] : running_) {
      if (one_in(8))
        list_->unknown.insert(id);
      else
        list_->running.push_back(make(id, port));
    }
    list_due_ = now_ + list_takes * static_cast<int>(random_() % 10) / 10;
  }
  void drive_questions(bool quiet) {
    for (auto at = asked_.begin(); at != asked_.end();) {
      if (now_ < at->due) {
        ++at;
        continue;
      }
      if (at->hangs)
        set_.unanswered(at->q, "hangs", now_);
      else
        set_.answered(at->q, std::move(at->answer));
      at = asked_.erase(at);
    }
    while (asked_.size() < 4) {
      const auto q = set_.next_question(now_);
      if (!q) return;
      const auto truth = running_.find(q->id);
      const bool hangs = !quiet && one_in(3);
      asked_.push_back({*q, truth == running_.end() ? std::nullopt : std::optional(make(q->id, truth->second)),
                        now_ + answer_takes * (hangs ? 10 : static_cast<int>(random_() % 10)) / 10, hangs});
    }
  }

  std::mt19937 random_;
  container_set set_{4};
  time_point now_{1h};
  ports running_;
  std::deque<std::pair<std::string, bool>> events_;
  std::optional<container_list> list_;
  time_point list_due_{}, next_list_{};
  std::vector<pending> asked_;
};

// From the moment on at which nothing happens any more: one list that was asked for later, the questions that it leads
// to, and one retry of each that hung.
TEST(random_engine, is_shown_rightly_within_one_list_of_the_last_change) {
  constexpr auto bound = relist + 2 * list_takes + race + 3 * answer_takes + 31s;
  for (unsigned seed = 1; seed <= 500; ++seed) {
    random_engine engine(seed);
    for (int i = 0; i < 1000; ++i) engine.step(false);
    const auto quiet_since = engine.now();
    while (!engine.right() && engine.now() - quiet_since <= bound) engine.step(true);
    ASSERT_TRUE(engine.right()) << "seed " << seed;
    for (int i = 0; i < 600; ++i) {
      engine.step(true);
      ASSERT_TRUE(engine.right()) << "not stable, seed " << seed;
    }
  }
}

}  // namespace
}  // namespace engine
