// blocking_calls: runs what may block (a file system that hangs, a system call that takes long) on threads of its own,
// and waits for it with a deadline. What still blocks at the deadline is left alone: its thread goes on, and ends when
// it can; so there may be only so many at a time. Each call has a fresh thread, in the caller's namespaces.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

#include "base/result.hpp"
#include "io/task.hpp"

namespace io {

class blocking_calls {
 public:
  // `most`: calls under way at one time, those that were left alone among them.
  explicit blocking_calls(unsigned most) : most_(most) {}

  // What `work` returns, a base::result. It owns all that it uses, and must not throw. Fails with timed_out at the
  // deadline, and with resource_unavailable_try_again where too many calls are under way. Cancelled: throws
  // operation_aborted, without waiting for `work`.
  template <class Work>
  task<std::invoke_result_t<Work>> run(Work work, clock::duration limit) {
    auto value = std::make_shared<std::optional<std::invoke_result_t<Work>>>();
    std::function<void()> keep = [value, work = std::move(work)]() mutable { *value = work(); };
    const auto ended = co_await run_detached(std::move(keep), clock::now() + limit);
    if (!ended) co_return std::unexpected(ended.error());
    co_return std::move(**value);
  }

 private:
  task<base::result<>> run_detached(std::function<void()> work, clock::time_point deadline);

  unsigned most_;
  std::shared_ptr<std::atomic<unsigned>> running_ = std::make_shared<std::atomic<unsigned>>(0);
};

}  // namespace io
