#include "os/inotify.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {

base::result<inotify> inotify::open(const async::executor& where) {
  base::unique_fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) return base::fail_errno("inotify_init");
  return inotify(where, fd.release());
}

int inotify::watch(const std::filesystem::path& path, std::uint32_t events) {
  return ::inotify_add_watch(stream_.native_handle(), path.c_str(), events);
}

int inotify::watch(const base::unique_fd& on, const std::filesystem::path& path, std::uint32_t events) {
  return ::inotify_add_watch(on.get(), path.c_str(), events);
}

base::result<base::unique_fd> inotify::duplicate() {
  base::unique_fd copy(::fcntl(stream_.native_handle(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return base::fail_errno("inotify");
  return copy;
}

void inotify::forget(int watch) { ::inotify_rm_watch(stream_.native_handle(), watch); }

// Reads all pending events.
bool inotify::read_events(const filter& matters) {
  bool any = false;
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (true) {
    const auto got = ::read(stream_.native_handle(), buffer.data(), buffer.size());
    if (got <= 0) return any;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
      inotify_event head{};
      std::memcpy(&head, buffer.data() + at, sizeof head);
      const std::string_view padded(buffer.data() + at + sizeof head, head.len);
      const event one{head.wd, head.mask, padded.substr(0, padded.find('\0'))};
      any = (head.mask & IN_Q_OVERFLOW) != 0 || matters(one) || any;
      at += sizeof head + head.len;
    }
  }
}

async::task<> inotify::news(filter matters) {
  while (true) {
    co_await stream_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
    if (read_events(matters)) co_return;
  }
}

}  // namespace os
