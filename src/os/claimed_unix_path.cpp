#include "os/claimed_unix_path.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <expected>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/stream_address.hpp"
#include "os/connect.hpp"
#include "os/lock_file.hpp"
#include "os/socket_facts.hpp"

namespace os {
namespace {

constexpr int backlog = 1024;
constexpr std::chrono::seconds lock_limit{1};
constexpr std::chrono::milliseconds room_pause{20};
// The socket of a killed instance lives on for a moment in a program that it was about to start.
constexpr int room_tries = 15;

// Succeeds if nothing is at the path, or the socket of a dead instance.
base::result<> check_room(const std::filesystem::path& path, int type) {
  const std::string name = "listen on " + path.string();
  struct stat about{};
  if (::lstat(path.c_str(), &about) != 0) return errno == ENOENT ? base::result<>{} : base::fail_errno(name);
  if (!S_ISSOCK(about.st_mode)) return base::fail(std::errc::file_exists, name + ": not a socket");
  if (type == SOCK_DGRAM) {
    if (!is_bound(net::to_sockaddr(net::unix_path{path.native()}))) return {};
    return base::fail(std::errc::address_in_use, name + ": another instance is running");
  }
  const auto answered = connect_now({path.native()});
  if (answered || answered.error().code == std::errc::resource_unavailable_try_again)
    return base::fail(std::errc::address_in_use, name + ": another instance is running");
  if (answered.error().code != std::errc::connection_refused) return base::fail(answered.error().code, name);
  return {};
}

}  // namespace

// bind() gives the file the socket's mode: it is never open to others.
base::result<> claimed_unix_path::bind_at(const std::filesystem::path& path) {
  const auto at = net::to_sockaddr(net::unix_path{path.native()});
  const std::string name = "listen on " + path.string();
  ::unlink(path.c_str());  // left by an instance that was killed
  if (!fd_ || ::fchmod(fd(), 0600) != 0) return base::fail_errno(name);
  if (::bind(fd(), at.get(), at.size) != 0) return base::fail_errno(name);
  path_ = path;
  struct stat about{};
  if (::lstat(path.c_str(), &about) != 0) return base::fail_errno(name);
  device_ = about.st_dev;
  inode_ = about.st_ino;
  return {};
}

// Bound under another name and renamed once it listens: a client that finds the file is not refused.
base::result<> claimed_unix_path::listen_at(const std::filesystem::path& path) {
  const std::filesystem::path beside = path.native() + ".new";
  static_assert(longest_path + sizeof ".new" == net::longest_unix_path + 1);
  if (auto bound = bind_at(beside); !bound) return bound;
  const std::string name = "listen on " + path.string();
  if (::listen(fd(), backlog) != 0) return base::fail_errno(name);
  if (::rename(beside.c_str(), path.c_str()) != 0) return base::fail_errno(name);
  path_ = path;
  return {};
}

// Datagrams need no listen(), so the socket has its own name from the start: peers see it as the sender.
base::result<claimed_unix_path> claimed_unix_path::claim_once(const std::filesystem::path& path, int type) {
  if (path.native().size() > longest_path)
    return base::fail(std::errc::filename_too_long, "listen on " + path.string());
  const auto lock = lock_file::claim(path.native() + ".lock", lock_file::at_end::remove, lock_limit);
  if (!lock) return std::unexpected(lock.error());
  if (auto room = check_room(path, type); !room) return std::unexpected(room.error());
  claimed_unix_path made(base::unique_fd(::socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
  auto opened = type == SOCK_DGRAM ? made.bind_at(path) : made.listen_at(path);
  if (!opened) return std::unexpected(opened.error());
  return made;
}

base::result<claimed_unix_path> claimed_unix_path::claim_in_time(const std::filesystem::path& path, int type) {
  for (int i = 1;; ++i) {
    auto made = claim_once(path, type);
    if (made || made.error().code != std::errc::address_in_use || i == room_tries) return made;
    std::this_thread::sleep_for(room_pause);
  }
}

base::result<claimed_unix_path> claimed_unix_path::claim(const std::filesystem::path& path) {
  return claim_in_time(path, SOCK_STREAM);
}

base::result<claimed_unix_path> claimed_unix_path::claim_datagrams(const std::filesystem::path& path) {
  return claim_in_time(path, SOCK_DGRAM);
}

claimed_unix_path::~claimed_unix_path() {
  struct stat about{};
  if (!fd_ || ::lstat(path_.c_str(), &about) != 0) return;
  if (about.st_dev == device_ && about.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace os
