#include "os/lock_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <expected>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {
namespace {

constexpr std::chrono::milliseconds pause{20};
constexpr int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

std::unexpected<base::error> foreign(const std::filesystem::path& path, const char* why) {
  return base::fail(std::errc::permission_denied, "lock " + path.string() + ": " + why);
}

// On a read-only disk an existing file is enough.
base::unique_fd open_or_create(const std::filesystem::path& path) {
  base::unique_fd fd(::open(path.c_str(), O_RDWR | O_CREAT | flags, 0600));
  if (fd || errno != EROFS) return fd;
  fd.reset(::open(path.c_str(), O_RDONLY | flags));
  if (!fd && errno == ENOENT) errno = EROFS;  // the reason why it is missing
  return fd;
}

// Accepts an existing file if it is ours alone.
base::result<base::unique_fd> open_own(const std::filesystem::path& path) {
  auto fd = open_or_create(path);
  if (!fd && errno == ELOOP) return foreign(path, "a symbolic link");
  if (!fd && errno == ENOENT)
    return base::fail_errno("lock " + path.string() + ": directory " + path.parent_path().string());
  if (!fd) return base::fail_errno("lock " + path.string());
  struct stat about{};
  if (::fstat(fd.get(), &about) != 0) return base::fail_errno("lock " + path.string());
  if (!S_ISREG(about.st_mode)) return foreign(path, "not a plain file");
  if (about.st_uid != ::geteuid()) return foreign(path, "it belongs to another user");
  if (about.st_nlink > 1) return foreign(path, "it has other names");
  if ((about.st_mode & 077U) != 0 && ::fchmod(fd.get(), 0600) != 0) return base::fail_errno("lock " + path.string());
  return fd;
}

// The former holder may have removed the file in between: the lock would be on a file without a name.
bool is_at(const base::unique_fd& fd, const std::filesystem::path& path) {
  struct stat held{}, found{};
  return ::fstat(fd.get(), &held) == 0 && ::lstat(path.c_str(), &found) == 0 && held.st_ino == found.st_ino &&
         held.st_dev == found.st_dev;
}

}  // namespace

base::result<lock_file> lock_file::claim(std::filesystem::path path, at_end then, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    auto fd = open_own(path);
    if (!fd) return std::unexpected(fd.error());
    const bool locked = ::flock(fd->get(), LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK && errno != EINTR) return base::fail_errno("lock " + path.string());
    if (locked && is_at(*fd, path)) return lock_file(std::move(path), then, std::move(*fd));
    if (std::chrono::steady_clock::now() >= deadline)
      return base::fail(std::errc::operation_would_block, "lock " + path.string());
    std::this_thread::sleep_for(pause);
  }
}

void lock_file::remove_unheld(const std::filesystem::path& directory, std::string_view prefix) {
  std::error_code failed;
  for (std::filesystem::directory_iterator at(directory, failed), end; !failed && at != end; at.increment(failed)) {
    const auto name = at->path().filename().native();
    if (name.starts_with(prefix) && name.ends_with(".lock"))
      static_cast<void>(claim(at->path(), at_end::remove, std::chrono::milliseconds(0)));
  }
}

lock_file::~lock_file() {
  if (fd_ && then_ == at_end::remove) ::unlink(path_.c_str());
}

}  // namespace os
