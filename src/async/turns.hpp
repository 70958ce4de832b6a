// turns: lets one task at a time through a section that suspends. The others wait for their turn.
#pragma once

#include <utility>

#include "async/condition.hpp"

namespace async {

class turns {
 public:
  // Held by the task whose turn it is. The turn ends with this object, which must not outlive the turns.
  class turn {
   public:
    explicit turn(turns& of) : of_(&of) { of.taken_ = true; }
    turn(turn&& from) noexcept : of_(std::exchange(from.of_, nullptr)) {}
    turn& operator=(turn&&) = delete;
    ~turn() {
      if (of_ == nullptr) return;
      of_->taken_ = false;
      of_->ended_.notify_all();
    }

   private:
    turns* of_;
  };

  explicit turns(const executor& where) : ended_(where) {}

  // Cancelled while it waits: throws operation_aborted.
  task<turn> take() {
    while (taken_) co_await ended_.wait();
    co_return turn(*this);
  }

 private:
  bool taken_ = false;
  condition ended_;
};

}  // namespace async
