// Questions and answers on one connection, as HTTP has them: no answer waits for a timer, whatever its size, the
// segments' size, and the end that opened the connection. In simulated time, at a round trip of 50 µs.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/packets.hpp"
#include "tests/unit/netstack/tcp/random_link.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

constexpr duration longest_answer = 50ms;

// One end: writes what it is given as there is room, and collects what comes.
class talker {
 public:
  explicit talker(connection c) : machine_(std::move(c)) {}

  void say(bytes_view what) { left_ = what; }
  void turn(time_point now) {
    static_cast<void>(machine_.take_events());
    std::size_t taken = 0;
    for (const auto slice : machine_.arrived()) {
      heard.insert(heard.end(), slice.begin(), slice.end());
      taken += slice.size();
    }
    if (taken > 0) machine_.consume(taken, now);
    std::size_t written = 0;
    if (!left_.empty())
      for (const auto slice : machine_.send_room()) {
        const auto part = left_.first(std::min(slice.size(), left_.size()));
        std::ranges::copy(part, slice.begin());
        written += part.size();
        left_ = left_.subspan(part.size());
      }
    if (written > 0) machine_.written(written, now);
  }
  void on_batch(const std::vector<carried>& batch, time_point now) {
    for (const auto& c : batch) machine_.on_segment(c.view(), now);
    turn(now);
    machine_.keep();
  }
  void send_all(random_link& to, time_point now) {
    for (outgoing o; machine_.next_segment(o, now);) to.send(carried(o), now);
  }
  [[nodiscard]] connection& machine() { return machine_; }

  bytes heard;

 private:
  connection machine_;
  bytes_view left_;
};

class conversation {
 public:
  conversation(const limits& l, bool opener_asks) : opener_(connection::open(l, {0xffff'fff0}, now_)), limits_(l) {
    run_until([this] { return acceptor_ && opener_.machine().state() == state::established; });
    run_until([this] { return acceptor_->machine().state() == state::established; });
    asks_ = opener_asks ? &opener_ : &*acceptor_;
    answers_ = opener_asks ? &*acceptor_ : &opener_;
  }

  // How long an answer of this size takes, from the question on.
  duration ask(const bytes& answer) {
    static const auto question = counting(200);
    asks_->heard.clear();
    answers_->heard.clear();
    const auto began = now_;
    asks_->say(question);
    asks_->turn(now_);
    run_until([&] { return answers_->heard.size() == question.size(); });
    answers_->say(answer);
    answers_->turn(now_);
    run_until([&] { return asks_->heard.size() >= answer.size(); });
    EXPECT_EQ(asks_->heard, answer);
    return now_ - began;
  }
  void pause(duration d) {
    const auto end = now_ + d;
    run_until([&] { return now_ >= end; }, end);
  }

 private:
  template <class Condition>
  void run_until(Condition holds, std::optional<time_point> end = {}) {
    for (int step = 0; !holds(); ++step) {
      ASSERT_LT(step, 1'000'000);
      opener_.send_all(there_, now_);
      if (acceptor_) acceptor_->send_all(back_, now_);
      const auto wake = acceptor_ ? acceptor_->machine().wake_at() : never;
      const auto next = std::min({there_.next(), back_.next(), opener_.machine().wake_at(), wake, end.value_or(never)});
      ASSERT_NE(next, never) << "both ends sleep for ever";
      now_ = std::max(now_, next);
      deliver();
    }
    opener_.send_all(there_, now_);
    if (acceptor_) acceptor_->send_all(back_, now_);
  }
  void deliver() {
    const auto came = there_.arrivals(now_);
    if (!acceptor_ && !came.empty()) {
      acceptor_.emplace(connection::accept(came[0].view(), limits_, {0x7fff'ff00}, now_));
      acceptor_->machine().connected(now_);
    } else if (!came.empty()) {
      acceptor_->on_batch(came, now_);
    }
    if (const auto back = back_.arrivals(now_); !back.empty()) opener_.on_batch(back, now_);
    for (auto* one : {&opener_, acceptor_ ? &*acceptor_ : nullptr})
      if (one != nullptr && one->machine().wake_at() <= now_) {
        one->machine().on_time(now_);
        one->turn(now_);
      }
  }

  time_point now_{1h};
  random_link there_{1, {.delay = 25us}}, back_{2, {.delay = 25us}};
  talker opener_;
  std::optional<talker> acceptor_;
  limits limits_;
  talker* asks_ = nullptr;
  talker* answers_ = nullptr;
};

struct mtu {
  const char* name;
  limits l;
};
const std::vector<mtu>& mtus() {
  static const std::vector<mtu> all{
      {"1500", {.most_segment = 1'460, .largest_segment = 1'460}},
      {"65520", {.most_segment = 65'480, .largest_segment = 65'480}},
      {"offload", {.most_segment = 1'460, .largest_segment = 65'480, .receive_window = std::size_t{1} << 20U}}};
  return all;
}

void expect_quick_answers(std::size_t around, std::size_t step) {
  for (const auto& m : mtus())
    for (const bool opener_asks : {true, false}) {
      conversation c(m.l, opener_asks);
      for (auto size = around - 200; size <= around + 200; size += step) {
        ASSERT_LT(c.ask(counting(size)), longest_answer) << m.name << ' ' << size;
        if (testing::Test::HasFailure()) return;
      }
    }
}

TEST(answers, of_64_kib_and_a_little_less_or_more) { expect_quick_answers(64 << 10, 1); }

TEST(answers, of_256_kib_and_a_little_less_or_more) { expect_quick_answers(256 << 10, 10); }

TEST(answers, of_a_few_bytes) { expect_quick_answers(201, 1); }

// The rings are given back in a pause: the next answer begins with a small one.
TEST(answers, after_a_pause) {
  for (const auto& m : mtus()) {
    conversation c(m.l, true);
    for (int i = 0; i < 20; ++i) {
      ASSERT_LT(c.ask(counting(64 << 10)), longest_answer) << m.name << ' ' << i;
      c.pause(i * 300ms);
    }
  }
}

// A small window, as of a program that asked for one: less than a large segment, more than a small one.
TEST(answers, into_a_small_window) {
  for (const std::size_t window : {2'000U, 5'000U, 20'000U, 64'000U})
    for (const auto& m : mtus()) {
      auto l = m.l;
      l.receive_window = l.most_receive_window = window;
      conversation c(l, true);
      for (const std::size_t size : {1'000U, 10'000U, 64'000U, 65'536U, 100'000U})
        ASSERT_LT(c.ask(counting(size)), longest_answer) << m.name << ' ' << window << ' ' << size;
    }
}

}  // namespace
}  // namespace netstack::tcp
