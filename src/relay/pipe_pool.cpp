#include "relay/pipe_pool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <utility>

#include "base/unique_fd.hpp"
#include "relay/descriptor_budget.hpp"

namespace relay {
namespace {

constexpr int wanted_pipe_bytes = 512 << 10;  // beyond the per-user limit the kernel refuses, and it stays at 64 KiB

}  // namespace

std::optional<pipe_pair> pipe_pool::borrow() {
  if (!kept_.empty()) {
    auto pipe = std::move(kept_.back());
    kept_.pop_back();
    return pipe;
  }
  auto lease = budget_.take(descriptor_use::pipe, 2);
  if (!lease) return std::nullopt;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0) return std::nullopt;
  static_cast<void>(::fcntl(ends[1], F_SETPIPE_SZ, wanted_pipe_bytes));
  return pipe_pair{base::unique_fd(ends[0]), base::unique_fd(ends[1]), std::move(lease)};
}

}  // namespace relay
