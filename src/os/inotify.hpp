// inotify: the kernel's events of files and directories. Its owner (file_watch, lock_watch) chooses what to watch and
// which events matter.
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
    std::string_view name;  // of the entry in a watched directory; may be empty
  };
  using filter = std::function<bool(const event&)>;

  static base::result<inotify> open(const async::executor& where);

  // Returns the watch's number, which is the same for the same file or directory; -1 with errno on failure.
  int watch(const std::filesystem::path& path, std::uint32_t events);
  void forget(int watch);
  // The same watches under another descriptor, for watch() on another thread.
  [[nodiscard]] base::result<base::unique_fd> duplicate();
  static int watch(const base::unique_fd& on, const std::filesystem::path& path, std::uint32_t events);

  // Returns at an event that `matters`, or when the kernel has lost events. Cancelled: throws
  // operation_aborted.
  async::task<> news(filter matters);

 private:
  inotify(const async::executor& where, int fd) : stream_(where, fd) {}
  bool read_events(const filter& matters);

  async::asio::posix::stream_descriptor stream_;
};

}  // namespace os
