// blocking_calls: runs calls that may block (a file system that hangs, a slow system call) on threads of its own, and
// waits for them with a deadline. A call that still blocks at the deadline is left behind: its thread continues, and
// ends when the call returns. So the number of concurrent calls is bounded. Each call has a fresh thread, in the
// caller's namespaces.
//
// Calls may have a key, such as the path that they read. While a call with that key is left behind, another one fails
// at once: a file that hangs costs one thread, however often it is read.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/result.hpp"

namespace async {

// The result of a call until it has ended.
[[nodiscard]] inline std::unexpected<base::error> still_runs() {
  return base::fail(std::errc::operation_in_progress, "the call has not ended");
}

class blocking_calls {
 public:
  // `most`: concurrent calls, including those that were left behind.
  explicit blocking_calls(unsigned most);

  // The result of `work`, a base::result. `work` owns everything it uses, and must not throw. Fails with timed_out at
  // the deadline, or while an earlier call with the same key is left behind. Fails with
  // resource_unavailable_try_again while too many calls run. Cancelled: throws operation_aborted, without waiting for
  // `work`.
  template <class Work>
  task<std::invoke_result_t<Work>> run(Work work, clock::duration limit, std::string key = {}) {
    auto value = std::make_shared<std::invoke_result_t<Work>>(still_runs());
    std::function<void()> keep = [value, work = std::move(work)]() mutable { *value = work(); };
    const auto ended = co_await run_detached(std::move(keep), clock::now() + limit, std::move(key));
    if (!ended) co_return std::unexpected(ended.error());
    co_return std::move(*value);
  }

  // Calls with a key that were left behind and still block: all of them, or those with that key.
  [[nodiscard]] std::size_t left_behind() const;
  [[nodiscard]] bool left_behind(const std::string& key) const;

 private:
  class calls;
  task<base::result<>> run_detached(std::function<void()> work, clock::time_point deadline, std::string key);

  std::shared_ptr<calls> calls_;
};

// Whether a call that was left behind, of any blocking_calls, still blocks. Its thread may use objects that a normal
// exit would destroy: such a program ends by _Exit.
[[nodiscard]] bool any_call_blocks();

// The same for a program that has no event loop yet: waits on this thread, at most for `limit`.
base::result<> wait_for(std::function<void()> work, std::chrono::milliseconds limit);
template <class Work>
std::invoke_result_t<Work> call_within(std::chrono::milliseconds limit, Work work) {
  auto value = std::make_shared<std::invoke_result_t<Work>>(still_runs());
  const auto ended = wait_for([value, work = std::move(work)]() mutable { *value = work(); }, limit);
  if (!ended) return std::unexpected(ended.error());
  return std::move(*value);
}

}  // namespace async
