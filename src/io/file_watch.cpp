#include "io/file_watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "io/timeout.hpp"

namespace io {
namespace {

using namespace std::chrono_literals;

constexpr auto poll = 1s;       // of what cannot be watched
constexpr int most_links = 40;  // as the kernel follows

constexpr std::uint32_t directory_events = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_CLOSE_WRITE |
                                           IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

// A part of the way that does not exist yet is none that cannot be watched: its directory is.
bool is_missing(int error_number) { return error_number == ENOENT || error_number == ENOTDIR; }

}  // namespace

std::optional<file_identity> identify(const std::filesystem::path& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return std::nullopt;
  return file_identity{about.st_dev, about.st_ino, about.st_ctim.tv_sec * 1'000'000'000 + about.st_ctim.tv_nsec};
}

file_watch::file_watch(const executor& where, std::filesystem::path path)
    : where_(where),
      path_(std::move(path)),
      unwatched_("file-watch", "cannot watch, looking once a second path=" + path_.string()) {
  arm();
}

base::result<file_watch> file_watch::open(const executor& where, const std::filesystem::path& path) {
  std::error_code wrong;
  auto absolute = std::filesystem::absolute(path, wrong);
  if (!wrong && path.empty()) wrong = std::make_error_code(std::errc::invalid_argument);
  if (wrong) return base::fail(wrong, "watch " + path.string());
  return file_watch(where, std::move(absolute));
}

// Adding a watch that exists answers its descriptor again, so arming is idempotent and picks up new directories. What
// no longer lies on the way is let go.
void file_watch::arm() {
  const auto before = std::exchange(expected_, {});
  unwatched_.note(follow());
  for (const auto& [watch, names] : before)
    if (!expected_.contains(watch)) kernel_->forget(watch);
  seen_ = identify(path_);
}

base::result<> file_watch::watch(const std::filesystem::path& directory, const std::string& name) {
  const int watch = kernel_->watch(directory, directory_events);
  if (watch >= 0) expected_[watch].insert(name);
  if (watch >= 0 || is_missing(errno)) return {};
  return base::fail_errno(directory.string());
}

// `directory` holds no links, so that ".." is its parent. Each is watched before the name in it is looked at.
base::result<> file_watch::follow() {
  if (!kernel_) {
    auto opened = inotify::open(where_);
    if (!opened) return std::unexpected(opened.error());
    kernel_.emplace(std::move(*opened));
  }
  std::deque<std::filesystem::path> rest(path_.begin(), path_.end());
  std::filesystem::path directory = "/";
  base::result<> all;
  for (int links = 0; !rest.empty();) {
    const auto part = std::exchange(rest.front(), {});
    rest.pop_front();
    if (part == "/" || part == "." || part.empty()) continue;
    if (part == "..") {
      directory = directory.parent_path();
      continue;
    }
    if (auto watched = watch(directory, part.string()); !watched && all) all = watched;
    std::error_code not_a_link;
    const auto target = std::filesystem::read_symlink(directory / part, not_a_link);
    if (not_a_link) {
      directory /= part;
      continue;
    }
    if (++links > most_links) return base::fail(std::errc::too_many_symbolic_link_levels, path_.string());
    if (target.is_absolute()) directory = "/";
    rest.insert(rest.begin(), target.begin(), target.end());
  }
  return all;
}

// Is it about the path?
bool file_watch::concerns(const inotify::event& e) const {
  const auto expected = expected_.find(e.watch);
  if (expected == expected_.end()) return false;
  if (e.name.empty()) return (e.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0;
  return expected->second.contains(std::string(e.name));
}

task<> file_watch::changed() {
  const inotify::filter ours = [this](const inotify::event& e) { return concerns(e); };
  while (unwatched_.active()) {
    const auto before = seen_;
    const bool told = kernel_ && co_await within(poll, kernel_->news(ours));
    if (!kernel_) co_await sleep_for(poll);
    arm();
    if (told || before != seen_) co_return;
  }
  co_await kernel_->news(ours);
  arm();
}

}  // namespace io
