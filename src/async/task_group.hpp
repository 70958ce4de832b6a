// task_group: owner of running tasks. A task lives in exactly one group, and a group goes only after its tasks have:
// stop() cancels them, the last started first, and waits for each.
//
// A task that ends with operation_aborted was cancelled. Any other exception that leaves a task is a broken invariant:
// it is logged with the task's name, and the program aborts, for the supervisor to start it again.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <cstddef>
#include <list>
#include <memory>
#include <string>

#include "async/condition.hpp"
#include "async/task.hpp"

namespace async {

class task_group {
 public:
  explicit task_group(const executor& where);
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  ~task_group();  // cancels what still runs; it winds up when the io_context runs on

  // Starts `work`: on the io_context's own thread it runs at once up to its first wait, otherwise when the context
  // does. `name` is what the log calls it.
  void spawn(std::string name, task<> work);

  // Cancels every task, the last started first, and waits for each. False if some still run at the deadline. A
  // cancellation of the caller does not cut this short: it shows at the caller's next wait.
  task<bool> stop(clock::time_point deadline);

  // Waits until no task runs.
  task<> join();

  // Waits until no task runs; when the caller is cancelled meanwhile, cancels them all and waits for that before it
  // throws operation_aborted. What a task that owns a group ends with.
  task<> join_or_stop();

  // Waits for `main`, which belongs to the caller, then cancels every task of the group and waits for each: what a task
  // does that has others beside it. Throws what `main` throws, and operation_aborted if the caller was cancelled at any
  // time; in each case after the last task has ended.
  task<> run_beside(task<> main);

  [[nodiscard]] std::size_t size() const;

 private:
  struct state;
  struct ending;
  std::shared_ptr<state> state_;
};

}  // namespace async
