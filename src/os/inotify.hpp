// inotify: the kernel's news of files and directories. What is watched, and which news matter, is up to those who own
// one: file_watch, lock_watch.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {

class inotify {
 public:
  struct event {
    int watch;
    std::uint32_t mask;     // of IN_*
    std::string_view name;  // of the entry, where a directory is watched; may be empty
  };
  using filter = std::function<bool(const event&)>;

  static base::result<inotify> open(const async::executor& where);

  // Answers the watch's number, the same again for the same file or directory; -1: errno says why not.
  int watch(const std::filesystem::path& path, std::uint32_t events);
  void forget(int watch);
  // For watch() beside the control thread: the same watches under a further descriptor.
  [[nodiscard]] base::result<base::unique_fd> duplicate();
  static int watch(const base::unique_fd& on, const std::filesystem::path& path, std::uint32_t events);

  // Returns when something has happened that `matters`, or when the kernel has lost news. Cancelled: throws
  // operation_aborted.
  async::task<> news(filter matters);

 private:
  inotify(const async::executor& where, int fd) : stream_(where, fd) {}
  bool read_events(const filter& matters);

  async::asio::posix::stream_descriptor stream_;
};

}  // namespace os
