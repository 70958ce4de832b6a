#include "io/timeout.hpp"

namespace io::detail {

task<base::result<>> as_result(task<> work) {
  co_await std::move(work);
  co_return base::result<>{};
}

}  // namespace io::detail
