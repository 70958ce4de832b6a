// first_of: runs two tasks until one of them ends, cancels the other, and waits for its end. A cancellation of the
// caller cancels both. Exceptions of the tasks are broken invariants, as in a task_group.
#pragma once

#include "async/task.hpp"

namespace async {

task<> first_of(task<> a, task<> b);

}  // namespace async
