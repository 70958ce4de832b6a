#include "sources/engine/question_queue.hpp"

#include <gtest/gtest.h>

namespace engine {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1h};
constexpr unsigned slots = 4;

std::vector<std::string> asked(question_queue& queue, unsigned most, time_point now) {
  std::vector<std::string> ids;
  for (unsigned i = 0; i < most; ++i)
    if (const auto q = queue.next(now)) ids.push_back(q->id);
  return ids;
}

TEST(question_queue, asks_in_the_order_of_events) {
  question_queue queue(2);
  for (const auto* id : {"z", "a", "m"}) ASSERT_TRUE(queue.add(id, start));
  ASSERT_TRUE(queue.add("z", start + 1s)) << "another event of one that waits does not put it back";
  EXPECT_EQ(asked(queue, 4, start + 1s), (std::vector<std::string>{"z", "a", "m"}));
}

TEST(question_queue, asks_about_a_container_once_at_a_time) {
  question_queue queue(2);
  ASSERT_TRUE(queue.add("a", start));
  const auto first = queue.next(start);
  ASSERT_TRUE(first);
  ASSERT_TRUE(queue.add("a", start));
  EXPECT_FALSE(queue.next(start));
  EXPECT_FALSE(queue.answered(*first)) << "the container has changed since";
  const auto second = queue.next(start);
  ASSERT_TRUE(second);
  EXPECT_TRUE(queue.answered(*second));
  EXPECT_FALSE(queue.contains("a"));
}

TEST(question_queue, an_answer_about_what_was_dropped_does_not_count) {
  question_queue queue(2);
  ASSERT_TRUE(queue.add("a", start));
  const auto q = queue.next(start);
  queue.drop("a");
  EXPECT_FALSE(queue.answered(*q));
  EXPECT_FALSE(queue.next(start));
  ASSERT_TRUE(queue.add("a", start));
  EXPECT_TRUE(queue.next(start));
}

TEST(question_queue, each_container_has_a_growing_pause_of_its_own) {
  question_queue queue(2);
  ASSERT_TRUE(queue.add("a", start));
  auto now = start;
  auto last = 0ms;
  for (unsigned failures = 1; failures <= 10; ++failures) {
    const auto q = queue.next(now);
    ASSERT_TRUE(q);
    EXPECT_EQ(q->failures, failures - 1);
    queue.unanswered(*q, "hangs", now);
    EXPECT_FALSE(queue.next(now));
    const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(queue.next_due() - now);
    EXPECT_GE(pause, last);
    EXPECT_LE(pause, 30s);
    last = pause;
    now = queue.next_due();
  }
  EXPECT_EQ(last, 30s);
  ASSERT_TRUE(queue.add("a", now)) << "an event ends the pause";
  EXPECT_TRUE(queue.next(now));
}

// Whatever hangs, and in which order: a new container is asked about as soon as one slot is free that no first question
// holds, and retries never hold more than half of them.
TEST(question_queue, hanging_questions_leave_room_for_new_ones) {
  question_queue queue(slots / 2);
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(queue.add("hung" + std::to_string(i), start));
  auto now = start;
  for (int i = 0; i < 9; ++i) queue.unanswered(*queue.next(now), "hangs", now);
  now += 1h;
  EXPECT_EQ(asked(queue, slots, now).size(), slots / 2);
  EXPECT_EQ(queue.next_due(), time_point::max()) << "not before one has come back";
  ASSERT_TRUE(queue.add("new", now));
  const auto fresh = queue.next(now);
  ASSERT_TRUE(fresh);
  EXPECT_EQ(fresh->id, "new");
}

TEST(question_queue, retries_are_not_starved_by_new_questions) {
  question_queue queue(2);
  ASSERT_TRUE(queue.add("old", start));
  queue.unanswered(*queue.next(start), "hangs", start);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(queue.add("new" + std::to_string(i), start + 1s));
  EXPECT_EQ(queue.next(start + 1s)->id, "old") << "it is due for longer";
}

TEST(question_queue, is_bounded) {
  question_queue queue(2);
  for (std::size_t i = 0; i < question_queue::max_questions; ++i) ASSERT_TRUE(queue.add(std::to_string(i), start));
  EXPECT_FALSE(queue.add("one too many", start));
  EXPECT_TRUE(queue.add("0", start)) << "one that is there already";
  queue.clear();
  EXPECT_FALSE(queue.next(start));
  EXPECT_TRUE(queue.add("one too many", start));
}

}  // namespace
}  // namespace engine
