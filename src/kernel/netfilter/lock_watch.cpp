#include "kernel/netfilter/lock_watch.hpp"

#include <sys/inotify.h>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <utility>

#include "async/task.hpp"
#include "base/result.hpp"
#include "os/inotify.hpp"

namespace netfilter {
namespace {

constexpr std::uint32_t file_events = IN_CLOSE;
constexpr std::uint32_t directory_events = IN_CREATE | IN_MOVED_TO | IN_ONLYDIR;

}  // namespace

base::result<lock_watch> lock_watch::open(const async::executor& where, std::filesystem::path file) {
  auto kernel = os::inotify::open(where);
  if (!kernel) return std::unexpected(kernel.error());
  if (kernel->watch(file.parent_path(), directory_events) < 0)
    return base::fail_errno("inotify " + file.parent_path().string());
  return lock_watch(std::move(*kernel), std::move(file));
}

lock_watch::lock_watch(os::inotify kernel, std::filesystem::path file)
    : kernel_(std::move(kernel)), file_(std::move(file)) {
  arm();
}

// inotify returns the same number for the same file.
void lock_watch::arm() { lock_ = kernel_.watch(file_, file_events); }

async::task<> lock_watch::changed() {
  const os::inotify::filter ours = [this](const os::inotify::event& e) {
    return e.watch == lock_ || e.name == file_.filename().native();
  };
  co_await kernel_.news(ours);
  arm();
}

}  // namespace netfilter
