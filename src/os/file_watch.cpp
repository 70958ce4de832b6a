#include "os/file_watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "async/blocking_calls.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "os/inotify.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;

constexpr auto poll = 1s;             // of a path that cannot be watched
constexpr auto patience = 500ms;      // for the file systems on the way
constexpr unsigned most_hanging = 4;  // walks at one time
constexpr int most_links = 40;        // as the kernel follows

constexpr std::uint32_t directory_events = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_CLOSE_WRITE |
                                           IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

// A component that does not exist yet is no failure: its directory is watched.
bool is_missing(int error_number) { return error_number == ENOENT || error_number == ENOTDIR; }

}  // namespace

std::optional<file_identity> identify(const std::filesystem::path& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return std::nullopt;
  return file_identity{about.st_dev, about.st_ino, about.st_ctim.tv_sec * 1'000'000'000 + about.st_ctim.tv_nsec};
}

// One walk along the path, on a thread of its own: it may hang in any file system. `directory_` contains no links, so
// ".." is its parent. Each directory is watched before the name in it is read.
class file_watch::walk {
 public:
  walk(base::result<base::unique_fd> kernel, std::filesystem::path path)
      : kernel_(std::make_shared<base::result<base::unique_fd>>(std::move(kernel))), path_(std::move(path)) {}

  base::result<way> operator()() {
    way found;
    found.watched = *kernel_ ? follow(found.expected) : std::unexpected(kernel_->error());
    found.seen = identify(path_);
    return found;
  }

 private:
  base::result<> watch(const std::string& name, std::map<int, names>& expected) const {
    const int watch = inotify::watch(**kernel_, directory_, directory_events);
    if (watch >= 0) expected[watch].insert(name);
    if (watch >= 0 || is_missing(errno)) return {};
    return base::fail_errno(directory_.string());
  }

  base::result<> follow(std::map<int, names>& expected) {
    std::deque<std::filesystem::path> rest(path_.begin(), path_.end());
    base::result<> all;
    for (int links = 0; !rest.empty();) {
      const auto part = std::exchange(rest.front(), {});
      rest.pop_front();
      if (part == "/" || part == "." || part.empty()) continue;
      if (part == "..") {
        directory_ = directory_.parent_path();
        continue;
      }
      if (auto watched = watch(part.string(), expected); !watched && all) all = watched;
      std::error_code not_a_link;
      const auto target = std::filesystem::read_symlink(directory_ / part, not_a_link);
      if (not_a_link) {
        directory_ /= part;
        continue;
      }
      if (++links > most_links) return base::fail(std::errc::too_many_symbolic_link_levels, path_.string());
      if (target.is_absolute()) directory_ = "/";
      rest.insert(rest.begin(), target.begin(), target.end());
    }
    return all;
  }

  std::shared_ptr<base::result<base::unique_fd>> kernel_;  // an error: inotify is not available
  std::filesystem::path path_;
  std::filesystem::path directory_ = "/";
};

file_watch::file_watch(const async::executor& where, std::filesystem::path path)
    : where_(where),
      path_(std::move(path)),
      calls_(most_hanging),
      unwatched_("file-watch", "cannot watch, polling path=" + path_.string()) {
  settle(async::call_within(patience, prepare()));
}

file_watch::walk file_watch::prepare() {
  if (!kernel_) {
    auto opened = inotify::open(where_);
    if (!opened) return {std::unexpected(opened.error()), path_};
    kernel_ = std::make_unique<inotify>(std::move(*opened));
  }
  return {kernel_->duplicate(), path_};
}

// Adding an existing watch returns its descriptor again, so arming is idempotent and picks up new directories. Watches
// that no longer lie on the way are removed.
void file_watch::settle(base::result<way> found) {
  stale_ = false;
  if (!found) {
    unwatched_.note(std::unexpected(found.error()));
    return;
  }
  const auto before = std::exchange(expected_, std::move(found->expected));
  for (const auto& [watch, names] : before)
    if (!expected_.contains(watch)) kernel_->forget(watch);
  unwatched_.note(found->watched);
  seen_ = found->seen;
}

// A walk that hangs is not repeated before the next event, which may have changed the way.
async::task<> file_watch::arm() {
  settle(co_await calls_.run(prepare(), patience, path_.string() + " " + std::to_string(news_)));
}

// Whether the event is about the path.
bool file_watch::concerns(const inotify::event& e) const {
  const auto expected = expected_.find(e.watch);
  if (expected == expected_.end()) return false;
  if (e.name.empty()) return (e.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0;
  return expected->second.contains(std::string(e.name));
}

async::task<> file_watch::changed() {
  const inotify::filter ours = [this](const inotify::event& e) {
    const bool concerned = concerns(e);
    stale_ = stale_ || concerned;
    news_ += concerned ? 1 : 0;
    return concerned;
  };
  while (unwatched_.active() && !stale_) {
    const auto before = seen_;
    if (kernel_)
      static_cast<void>(co_await async::within(poll, kernel_->news(ours)));
    else
      co_await async::sleep_for(poll);
    const bool is_due = stale_;
    co_await arm();
    if (is_due || before != seen_) co_return;
  }
  if (!stale_) co_await kernel_->news(ours);
  co_await arm();
}

}  // namespace os
