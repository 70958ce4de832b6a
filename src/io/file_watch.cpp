#include "io/file_watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <utility>

namespace io {
namespace {

constexpr std::uint32_t directory_events = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_CLOSE_WRITE |
                                           IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

std::optional<file_identity> identify(const std::filesystem::path& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return std::nullopt;
  return file_identity{about.st_dev, about.st_ino, about.st_ctim.tv_sec * 1'000'000'000 + about.st_ctim.tv_nsec};
}

file_watch::file_watch(inotify kernel, std::filesystem::path path)
    : kernel_(std::move(kernel)), path_(std::move(path)) {
  arm();
}

base::result<file_watch> file_watch::open(const executor& where, const std::filesystem::path& path) {
  std::error_code wrong;
  const auto absolute = std::filesystem::absolute(path, wrong);
  if (wrong) return base::fail(wrong, "watch " + path.string());
  auto kernel = inotify::open(where);
  if (!kernel) return std::unexpected(kernel.error());
  return file_watch(std::move(*kernel), absolute.lexically_normal());
}

// Adding a watch that exists answers its descriptor again, so arming is idempotent and picks up new directories. What
// no longer lies on the way is let go.
void file_watch::arm() {
  const auto before = std::exchange(expected_, {});
  std::filesystem::path directory;
  for (auto part = path_.begin(); std::next(part) != path_.end(); ++part) {
    directory /= *part;
    const int watch = kernel_.watch(directory, directory_events);
    if (watch < 0) break;
    expected_[watch] = std::next(part)->string();
  }
  for (const auto& [watch, name] : before)
    if (!expected_.contains(watch)) kernel_.forget(watch);
}

// Is it about the path?
bool file_watch::concerns(const inotify::event& e) const {
  const auto expected = expected_.find(e.watch);
  if (expected == expected_.end()) return false;
  return e.name.empty() ? (e.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0 : expected->second == e.name;
}

task<> file_watch::changed() {
  const inotify::filter ours = [this](const inotify::event& e) { return concerns(e); };
  co_await kernel_.news(ours);
  arm();
}

}  // namespace io
