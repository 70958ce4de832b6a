#include "netfilter/lock_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

#include "base/unique_fd.hpp"

namespace netfilter {
namespace {

constexpr std::uint32_t file_events = IN_CLOSE;
constexpr std::uint32_t directory_events = IN_CREATE | IN_MOVED_TO | IN_ONLYDIR;

}  // namespace

base::result<lock_watch> lock_watch::open(const io::executor& where, std::filesystem::path file) {
  base::unique_fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!fd) return base::fail_errno("inotify_init");
  if (::inotify_add_watch(fd.get(), file.parent_path().c_str(), directory_events) < 0)
    return base::fail_errno("inotify " + file.parent_path().string());
  return lock_watch(where, fd.release(), std::move(file));
}

lock_watch::lock_watch(const io::executor& where, int fd, std::filesystem::path file)
    : inotify_(where, fd), file_(std::move(file)) {
  arm();
}

// The same descriptor again where the file is still the same one.
void lock_watch::arm() { lock_ = ::inotify_add_watch(inotify_.native_handle(), file_.c_str(), file_events); }

bool lock_watch::read_events() {
  bool ours = false;
  const auto name = file_.filename().string();
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (true) {
    const auto got = ::read(inotify_.native_handle(), buffer.data(), buffer.size());
    if (got <= 0) return ours;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const bool named = event.len > 0 && name == std::string_view(buffer.data() + at + sizeof event);
      ours = ours || event.wd == lock_ || named || (event.mask & IN_Q_OVERFLOW) != 0;
      at += sizeof event + event.len;
    }
  }
}

io::task<> lock_watch::changed() {
  while (true) {
    co_await inotify_.async_wait(io::asio::posix::stream_descriptor::wait_read, io::nothrow);
    co_await io::check_cancelled();
    if (!read_events()) continue;
    arm();
    co_return;
  }
}

}  // namespace netfilter
