#include "containers/container_set.hpp"

#include <gmock/gmock.h>

#include <deque>
#include <random>

namespace containers {
namespace {

using published = std::set<std::pair<std::string, std::uint16_t>>;  // container, host port

container make(const std::string& id, std::uint16_t port = 80) {
  return {id, "n", {{net::protocol::tcp, net::address::any_v4(), port, 80, id, "n"}}, {}};
}
published shown_by(const container_set& set) {
  published all;
  for (const auto& b : set.snapshot().bindings) all.emplace(b.owner, b.host_port);
  return all;
}

TEST(ContainerSet, AnEventBeatsTheListThatWasAskedForBeforeIt) {
  container_set set;
  set.begin_list();
  set.ended("a");
  set.started("b");
  set.listed({{make("a"), make("c")}});
  EXPECT_EQ(shown_by(set), (published{{"c", 80}}));
  const auto q = set.next_question();
  ASSERT_TRUE(q);
  set.answered(*q, make("b", 81));
  EXPECT_EQ(shown_by(set), (published{{"b", 81}, {"c", 80}}));
}

TEST(ContainerSet, AnEndWinsOverAnAnswerThatIsUnderWay) {
  container_set set;
  set.listed({});
  set.started("a");
  const auto q = set.next_question();
  set.ended("a");
  set.answered(*q, make("a"));
  EXPECT_TRUE(shown_by(set).empty());
  EXPECT_FALSE(set.next_question());
}

TEST(ContainerSet, ARestartIsAskedAboutAgain) {
  container_set set;
  set.listed({});
  set.started("a");
  const auto first = set.next_question();
  EXPECT_FALSE(set.next_question()) << "one question for a container at a time";
  set.ended("a");
  set.started("a");
  set.answered(*first, make("a", 1));
  EXPECT_TRUE(shown_by(set).empty()) << "the answer may be of the life before";
  const auto second = set.next_question();
  ASSERT_TRUE(second);
  set.answered(*second, make("a", 2));
  EXPECT_EQ(shown_by(set), (published{{"a", 2}}));
}

TEST(ContainerSet, ALaterListHealsWhatEventsMissed) {
  container_set set;
  set.begin_list();
  set.listed({{make("a")}});
  set.begin_list();
  set.listed({{make("b")}});
  EXPECT_EQ(shown_by(set), (published{{"b", 80}}));
}

TEST(ContainerSet, AListThatIsBehindTheEventsDoesNotBringBackTheDead) {
  container_set set;
  set.begin_list();
  set.listed({{make("a")}});
  set.ended("a");
  set.begin_list();
  set.listed({{make("a")}});
  EXPECT_TRUE(shown_by(set).empty());
}

TEST(ContainerSet, AResetKeepsWhatIsKnownUntilTheNextList) {
  container_set set;
  set.listed({{make("a")}});
  set.reset();
  EXPECT_FALSE(set.listed_once());
  EXPECT_EQ(shown_by(set).size(), 1U);
  set.listed({});
  EXPECT_TRUE(shown_by(set).empty());
}

TEST(ContainerSet, TellsWhetherAnythingChanged) {
  container_set set;
  set.listed({{make("a")}});
  EXPECT_TRUE(set.take_changed());
  EXPECT_FALSE(set.take_changed());
  set.ended("nobody");
  EXPECT_FALSE(set.take_changed());
  set.ended("a");
  EXPECT_TRUE(set.take_changed());
}

// An engine whose events, lists and answers are each true at their own moment and arrive later, in random order.
class random_engine {
 public:
  explicit random_engine(unsigned seed) : random_(seed) { set_.reset(); }

  void step() {
    switch (random_() % 7) {
      case 0:
      case 1: return start_or_end();
      case 2: return deliver_event();
      case 3: return ask_list();
      case 4: return answer_list();
      case 5: return ask();
      default: return answer();
    }
  }
  void settle() {
    while (!events_.empty()) deliver_event();
    answer_list();
    while (!questions_.empty()) answer();
    for (auto q = set_.next_question(); q; q = set_.next_question()) set_.answered(*q, now(q->id));
    ask_list();
    answer_list();
  }
  [[nodiscard]] published truth() const { return {running_.begin(), running_.end()}; }
  [[nodiscard]] const container_set& set() const { return set_; }

 private:
  std::optional<container> now(const std::string& id) const {
    const auto at = running_.find(id);
    return at == running_.end() ? std::nullopt : std::optional(make(id, at->second));
  }
  void start_or_end() {
    const std::string id(1, static_cast<char>('a' + random_() % 4));
    const bool ends = running_.erase(id) > 0;
    if (!ends) running_[id] = static_cast<std::uint16_t>(1 + random_() % 1000);
    events_.emplace_back(id, ends);
  }
  void deliver_event() {
    if (events_.empty()) return;
    const auto [id, ends] = events_.front();
    events_.pop_front();
    if (ends)
      set_.ended(id);
    else
      set_.started(id);
  }
  void ask_list() {
    if (std::exchange(list_asked_, true)) return;
    set_.begin_list();
    list_.clear();
    for (const auto& [id, port] : running_) list_.push_back(make(id, port));
  }
  void answer_list() {
    if (std::exchange(list_asked_, false)) set_.listed({list_});
  }
  void ask() {
    if (const auto q = set_.next_question()) questions_.emplace_back(*q, now(q->id));
  }
  void answer() {
    if (questions_.empty()) return;
    set_.answered(questions_.front().first, questions_.front().second);
    questions_.pop_front();
  }

  std::mt19937 random_;
  container_set set_;
  std::map<std::string, std::uint16_t> running_;
  std::deque<std::pair<std::string, bool>> events_;
  std::deque<std::pair<question, std::optional<container>>> questions_;
  std::vector<container> list_;
  bool list_asked_ = false;
};

TEST(ContainerSet, WhateverTheOrderWhenAllHasArrivedItIsTheEnginesTruth) {
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    random_engine engine(seed);
    for (int i = 0; i < 50; ++i) engine.step();
    engine.settle();
    ASSERT_EQ(shown_by(engine.set()), engine.truth()) << "seed " << seed;
  }
}

TEST(ContainerSet, AListThatCannotTellOfAContainerLeavesIt) {
  container_set set;
  set.listed({{make("a"), make("b")}});
  set.begin_list();
  set.listed({{}, {"a"}});
  EXPECT_EQ(shown_by(set), (published{{"a", 80}}));
}

TEST(ContainerSet, AQuestionWithoutAnAnswerIsAskedAgain) {
  container_set set;
  set.listed({});
  set.started("a");
  const auto q = set.next_question();
  ASSERT_TRUE(q);
  EXPECT_FALSE(set.next_question());
  EXPECT_TRUE(set.take_changed());
  set.unanswered(*q);
  EXPECT_FALSE(set.next_question());
  EXPECT_TRUE(set.has_unanswered());
  EXPECT_TRUE(set.take_changed());
  EXPECT_EQ(set.snapshot().refusals.size(), 1U);
  set.ask_unanswered_again();
  const auto again = set.next_question();
  ASSERT_TRUE(again);
  set.answered(*again, make("a"));
  EXPECT_EQ(shown_by(set), (published{{"a", 80}}));
  EXPECT_TRUE(set.snapshot().refusals.empty());
}

TEST(ContainerSet, AnEventEndsTheWaitForAnAnswer) {
  container_set set;
  set.listed({});
  set.started("a");
  set.unanswered(*set.next_question());
  set.started("a");
  EXPECT_TRUE(set.next_question());
  set.ended("a");
  EXPECT_FALSE(set.has_unanswered());
  EXPECT_TRUE(set.snapshot().refusals.empty());
}

TEST(ContainerSet, MorePortsThanThereCanBeAreRefusedContainerByContainer) {
  container_set set;
  container_list all;
  for (const auto* id : {"a", "b", "c"}) {
    auto c = make(id);
    c.bindings.resize(ports::max_bindings / 2, c.bindings.front());
    all.running.push_back(std::move(c));
  }
  set.listed(std::move(all));
  EXPECT_EQ(set.snapshot().bindings.size(), ports::max_bindings);
  ASSERT_EQ(set.snapshot().refusals.size(), 1U);
  EXPECT_EQ(set.snapshot().refusals[0].owner, "c");
}

}  // namespace
}  // namespace containers
