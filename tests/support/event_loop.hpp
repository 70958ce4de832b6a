// event_loop: an io_context for one test, with the tasks that run on it. Runs until a condition holds or ten seconds
// have passed. Tasks are cancelled and awaited at the end.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "async/task_group.hpp"

namespace support {

class event_loop {
 public:
  event_loop() = default;
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;
  ~event_loop() { stop(); }

  [[nodiscard]] async::executor executor() { return context_.get_executor(); }
  void spawn(async::task<> work) { tasks_.spawn("test task", std::move(work)); }

  // Cancels all running tasks and waits for them.
  void stop() {
    bool done = false;
    auto end = [](async::task_group& tasks, bool& flag) -> async::task<> {
      co_await tasks.stop(async::clock::now() + std::chrono::seconds(10));
      flag = true;
    };
    async::task_group stopper(context_.get_executor());
    stopper.spawn("stop", end(tasks_, done));
    run_until([&] { return done; });
  }

  // A turn counts as a tenth of a second at most: a machine that is too busy to run this program uses up no limit.
  template <class Predicate>
  bool run_until(Predicate holds, std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    using steady = std::chrono::steady_clock;
    context_.restart();
    for (steady::duration spent{}; !holds() && spent < limit;) {
      const auto begin = steady::now();
      context_.run_one_for(std::chrono::milliseconds(20));
      spent += std::min<steady::duration>(steady::now() - begin, std::chrono::milliseconds(100));
    }
    return holds();
  }

  // Runs everything that is ready.
  void settle() {
    context_.restart();
    while (context_.run_one_for(std::chrono::milliseconds(1)) > 0) {
    }
  }

  // Lets time pass without waiting: timers that are then due fire, once each.
  void pass_time(async::clock::duration amount) {
    async::clock::advance(amount);
    bool looked = false;
    // Due before all others, so that the loop checks its timers again.
    auto look = [](bool& done) -> async::task<> {
      co_await async::sleep_until(async::clock::time_point{});
      done = true;
    };
    spawn(look(looked));
    run_until([&] { return looked; });
  }

  // The result of `work`.
  template <class T>
  T run(async::task<T> work) {
    return run_for(std::move(work), std::chrono::seconds(10));
  }
  template <class T>
  T run_for(async::task<T> work, std::chrono::milliseconds limit) {
    const auto value = std::make_shared<std::optional<T>>();
    auto keep = [](async::task<T> inner, std::shared_ptr<std::optional<T>> into) -> async::task<> {
      *into = co_await std::move(inner);
    };
    spawn(keep(std::move(work), value));
    if (!run_until([&] { return value->has_value(); }, limit)) throw std::runtime_error("the task did not end in time");
    return std::move(**value);
  }

 private:
  boost::asio::io_context context_{1};
  async::task_group tasks_{context_.get_executor()};
};

}  // namespace support
