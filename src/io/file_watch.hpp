// file_watch: returns when a path may have come, gone, been replaced or been written. Says "may": look again when it
// fires.
//
// Theory of operation. The path is followed component by component as the kernel would: every directory on the way that
// exists is watched (inotify) for the name that leads on, and a symbolic link, also one at the end, continues with what
// it names. So the path may lie in directories that do not exist yet, and a link may be replaced anywhere. What cannot
// be watched, because the user's or the system's watches are used up, is looked at once a second; the log says so once.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/episode.hpp"
#include "base/result.hpp"
#include "io/inotify.hpp"
#include "io/task.hpp"

namespace io {

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
  // `path` is made absolute. Fails for an empty path.
  static base::result<file_watch> open(const executor& where, const std::filesystem::path& path);

  // Returns at the first event since the last call. Cancelled: throws operation_aborted.
  task<> changed();

 private:
  file_watch(const executor& where, std::filesystem::path path);
  void arm();
  base::result<> follow();
  base::result<> watch(const std::filesystem::path& directory, const std::string& name);
  [[nodiscard]] bool concerns(const inotify::event& e) const;

  executor where_;
  std::filesystem::path path_;
  std::optional<inotify> kernel_;
  std::map<int, std::set<std::string>>
      expected_;  // watch descriptor → the names in that directory that lead to the path
  std::optional<file_identity> seen_;
  base::log::episode unwatched_;
};

}  // namespace io
