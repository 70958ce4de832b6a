// latest_value<T>: hands the newest value from one task to another. Values that were not taken in time are replaced, so
// it never grows and a slow reader never sees an old state.
#pragma once

#include <optional>
#include <utility>

#include "async/condition.hpp"

namespace async {

template <class T>
class latest_value {
 public:
  explicit latest_value(const executor& where) : changed_(where) {}

  void set(T value) {
    value_ = std::move(value);
    changed_.notify_all();
  }

  // The newest value that was not taken yet; waits for one. One reader only.
  task<T> take() {
    while (!value_) co_await changed_.wait();
    co_return std::exchange(value_, std::nullopt).value();
  }

 private:
  condition changed_;
  std::optional<T> value_;
};

}  // namespace async
