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

constexpr int wanted_bytes = 512 << 10;
// The kernel bounds the pipes of a user, all processes together (fs.pipe-user-pages-soft, usually 64 MiB). Near the
// bound a pipe keeps its first size of 64 KiB; beyond it, new ones have 8 KiB, less than a copy moves at once.
// CAP_SYS_RESOURCE and CAP_SYS_ADMIN exempt, but the programs have neither.
constexpr int least_bytes = 64 << 10;

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
  pipe_pair made{base::unique_fd(ends[0]), base::unique_fd(ends[1]), std::move(lease)};
  static_cast<void>(::fcntl(ends[1], F_SETPIPE_SZ, wanted_bytes));
  if (::fcntl(ends[1], F_GETPIPE_SZ) < least_bytes) return std::nullopt;
  return made;
}

}  // namespace relay
