// file_watch: tells when a path may have come, gone, been replaced or been written. Watches every directory on the way
// that exists (inotify), so the path may lie in directories that do not exist yet. Says "may": look again when it
// fires.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

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
  // `path` is made absolute. Fails where inotify is not to be had, and for an empty path.
  static base::result<file_watch> open(const executor& where, const std::filesystem::path& path);

  // Returns at the first event since the last call. Cancelled: throws operation_aborted.
  task<> changed();

 private:
  file_watch(inotify kernel, std::filesystem::path path);
  void arm();
  [[nodiscard]] bool concerns(const inotify::event& e) const;

  inotify kernel_;
  std::filesystem::path path_;
  std::map<int, std::string> expected_;  // watch descriptor → the name in that directory that leads to the path
};

}  // namespace io
