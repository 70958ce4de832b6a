#include "io/file_watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/unique_fd.hpp"

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

file_watch::file_watch(const executor& where, int fd, std::filesystem::path path)
    : inotify_(where, fd), path_(std::move(path)) {
  arm();
}

base::result<file_watch> file_watch::open(const executor& where, const std::filesystem::path& path) {
  std::error_code wrong;
  const auto absolute = std::filesystem::absolute(path, wrong);
  if (wrong) return base::fail(wrong, "watch " + path.string());
  base::unique_fd fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) return base::fail_errno("inotify_init");
  return file_watch(where, fd.release(), absolute.lexically_normal());
}

// Adding a watch that exists answers its descriptor again, so arming is idempotent and picks up new directories. What
// no longer lies on the way is let go.
void file_watch::arm() {
  const auto before = std::exchange(expected_, {});
  std::filesystem::path directory;
  for (auto part = path_.begin(); std::next(part) != path_.end(); ++part) {
    directory /= *part;
    const int watch = inotify_add_watch(inotify_.native_handle(), directory.c_str(), directory_events);
    if (watch < 0) break;
    expected_[watch] = std::next(part)->string();
  }
  for (const auto& [watch, name] : before)
    if (!expected_.contains(watch)) inotify_rm_watch(inotify_.native_handle(), watch);
}

// Is it about the path? `name` is what the event names in its directory, if anything.
bool file_watch::concerns(const inotify_event& event, const char* name) const {
  if ((event.mask & IN_Q_OVERFLOW) != 0) return true;
  const auto expected = expected_.find(event.wd);
  if (expected == expected_.end()) return false;
  return event.len > 0 ? expected->second == name : (event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0;
}

bool file_watch::read_events() {
  bool ours = false;
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (true) {
    const auto got = ::read(inotify_.native_handle(), buffer.data(), buffer.size());
    if (got <= 0) return ours;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      ours = concerns(event, buffer.data() + at + sizeof event) || ours;
      at += sizeof event + event.len;
    }
  }
}

task<> file_watch::changed() {
  while (true) {
    co_await inotify_.async_wait(asio::posix::stream_descriptor::wait_read, nothrow);
    co_await check_cancelled();
    if (!read_events()) continue;
    arm();
    co_return;
  }
}

}  // namespace io
