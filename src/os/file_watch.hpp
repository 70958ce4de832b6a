// file_watch: returns when a path may have come, gone, been replaced or been written. Says "may": look again when it
// fires.
//
// Theory of operation. The path is followed component by component as the kernel would: every directory on the way that
// exists is watched (inotify) for the name that leads on, and a symbolic link, also one at the end, continues with what
// it names. So the path may lie in directories that do not exist yet, and a link may be replaced anywhere. What cannot
// be watched, because the user's or the system's watches are used up, is looked at once a second; the log says so once.
//
// The way may lead into a file system that hangs, so it is followed beside the control thread. Where that has no end
// within half a second, what was known stays, and it is tried once a second; the log says so once.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "async/blocking_calls.hpp"
#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/result.hpp"
#include "os/inotify.hpp"

namespace os {

// What tells one file at a path from the next one there: a socket that was bound anew has another identity.
struct file_identity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t changed_ns = 0;  // ctime
  auto operator<=>(const file_identity&) const = default;
};
[[nodiscard]] std::optional<file_identity> identify(const std::filesystem::path& path);

class file_watch {
 public:
  // `path` is made absolute. Fails for an empty path. Waits half a second at most, for a file system that hangs.
  static base::result<file_watch> open(const async::executor& where, const std::filesystem::path& path);

  // Returns at the first event since the last call. Cancelled: throws operation_aborted.
  async::task<> changed();

  // What was at the path when it was looked at last; a later change has yet to be told by changed().
  [[nodiscard]] const std::optional<file_identity>& seen() const { return seen_; }

 private:
  using names = std::set<std::string>;
  // Where the path leads.
  struct way {
    std::map<int, names> expected;  // watch descriptor → the names in that directory that lead to the path
    std::optional<file_identity> seen;
    base::result<> watched;
  };
  class walk;

  file_watch(const async::executor& where, std::filesystem::path path);
  walk prepare();
  async::task<> arm();
  void settle(base::result<way> found);
  [[nodiscard]] bool concerns(const inotify::event& e) const;

  async::executor where_;
  std::filesystem::path path_;
  std::optional<inotify> kernel_;
  async::blocking_calls calls_;
  std::uint64_t news_ = 0;  // how often the way may have become another one
  bool stale_ = false;      // news have been taken, and not yet told
  std::map<int, names> expected_;
  std::optional<file_identity> seen_;
  base::log::episode unwatched_;
};

}  // namespace os
