// file_watch: returns when the file at a path may have been created, removed, replaced or written. It says "may": check
// the file then.
//
// Theory of operation. The path is followed component by component, as the kernel does. Every existing directory on the
// way is watched (inotify) for the next name, and a symbolic link continues with its target. So the path may lie in
// directories that do not exist yet, and any link on the way may be replaced. Without inotify, or where its watches are
// used up, the path is polled once a second; the log says so once.
//
// The way may lead into a file system that hangs, so it is followed on another thread. If that takes more than half a
// second, the last result stays, and the walk is tried once a second; the log says so once.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "async/blocking_calls.hpp"
#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/result.hpp"
#include "os/inotify.hpp"

namespace os {

// Identifies the file at a path: a socket that was bound again has another identity.
struct file_identity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t changed_ns = 0;  // ctime
  auto operator<=>(const file_identity&) const = default;
};
[[nodiscard]] std::optional<file_identity> identify(const std::filesystem::path& path);

class file_watch {
 public:
  // `path` is absolute. Blocks for half a second at most, on a file system that hangs.
  file_watch(const async::executor& where, std::filesystem::path path);

  // Returns at the first event since the last call. Cancelled: throws operation_aborted.
  async::task<> changed();

  // What was at the path at the last check; changed() reports later changes.
  [[nodiscard]] const std::optional<file_identity>& seen() const { return seen_; }

 private:
  using names = std::set<std::string>;
  // The directories on the way, and the file at its end.
  struct way {
    std::map<int, names> expected;  // watch descriptor → the names in that directory that lead to the path
    std::optional<file_identity> seen;
    base::result<> watched;
  };
  class walk;

  walk prepare();
  async::task<> arm();
  void settle(base::result<way> found);
  [[nodiscard]] bool concerns(const inotify::event& e) const;

  async::executor where_;
  std::filesystem::path path_;
  std::unique_ptr<inotify> kernel_;  // null: inotify is not available yet
  async::blocking_calls calls_;
  std::uint64_t news_ = 0;  // how often the way may have changed
  bool stale_ = false;      // an event was read but not reported yet
  std::map<int, names> expected_;
  std::optional<file_identity> seen_;
  base::log::episode unwatched_;
};

}  // namespace os
