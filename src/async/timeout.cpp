#include "async/timeout.hpp"

#include <utility>

#include "async/task.hpp"
#include "base/result.hpp"

namespace async::detail {

task<base::result<>> as_result(task<> work) {
  co_await std::move(work);
  co_return base::result<>{};
}

}  // namespace async::detail
