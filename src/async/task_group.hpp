// task_group: owner of running tasks. A task belongs to exactly one group, and ends before its group does: stop()
// cancels the tasks, the last started first, and waits for each.
//
// A task that ends with operation_aborted was cancelled. Any other exception that leaves a task is a broken invariant:
// it is logged with the task's name, and the program aborts, so that the supervisor restarts it.
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
  ~task_group();  // cancels running tasks; they end when the io_context runs on

  // Starts `work`: on the io_context's own thread it runs at once up to its first wait, otherwise when the context
  // does. `name` is for the log.
  void spawn(std::string name, task<> work);

  // Cancels every task, the last started first, and waits for each. False if some still run at the deadline. A
  // cancellation of the caller does not shorten this: it takes effect at the caller's next wait.
  task<bool> stop(clock::time_point deadline);

  // Waits until no task runs.
  task<> join();

  // Waits until no task runs. If the caller is cancelled meanwhile, cancels all tasks, waits for them, and then throws
  // operation_aborted. The last call of a task that owns a group.
  task<> join_or_stop();

  // Waits for `main`, which belongs to the caller, then cancels every task of the group and waits for each. For a task
  // that needs others beside it. Throws what `main` throws, and operation_aborted if the caller was cancelled at any
  // time. Either is thrown after the last task has ended.
  task<> run_beside(task<> main);

  [[nodiscard]] std::size_t size() const;

 private:
  struct state;
  struct ending;
  std::shared_ptr<state> state_;
};

}  // namespace async
