#include "sources/listeners/process_sockets.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <memory>
#include <string_view>

#include "base/text.hpp"

namespace listeners {
namespace {

// "socket:[12345]"
std::optional<std::uint32_t> parse_inode(std::string_view link) {
  constexpr std::string_view begin = "socket:[";
  if (!link.starts_with(begin) || !link.ends_with(']')) return std::nullopt;
  return base::parse_number<std::uint32_t>(link.substr(begin.size(), link.size() - begin.size() - 1));
}

std::chrono::nanoseconds to_duration(const timeval& t) {
  return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
}

}  // namespace

base::result<std::set<std::uint32_t>> own_socket_inodes() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc/self/fd"), ::closedir);
  if (!directory) return base::fail_errno("/proc/self/fd");
  std::set<std::uint32_t> inodes;
  std::array<char, 64> link;
  errno = 0;
  while (const auto* entry = ::readdir(directory.get())) {
    const auto length = ::readlinkat(::dirfd(directory.get()), entry->d_name, link.data(), link.size());
    if (length <= 0) continue;
    if (const auto inode = parse_inode({link.data(), static_cast<std::size_t>(length)})) inodes.insert(*inode);
    errno = 0;
  }
  if (errno != 0) return base::fail_errno("/proc/self/fd");
  return inodes;
}

netlink::port_range ephemeral_ports() {
  netlink::port_range range{32'768, 60'999};
  const base::unique_fd file(::open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text;
  const auto length = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (length <= 0) return range;
  const auto parts = base::split(base::trim({text.data(), static_cast<std::size_t>(length)}), '\t');
  const auto first = base::parse_port(parts.front()), last = base::parse_port(parts.back());
  if (parts.size() == 2 && first && last) range = {*first, *last};
  return range;
}

std::chrono::nanoseconds processor_time() {
  timespec own{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
  rusage children{};
  ::getrusage(RUSAGE_CHILDREN, &children);
  return std::chrono::seconds(own.tv_sec) + std::chrono::nanoseconds(own.tv_nsec) + to_duration(children.ru_utime) +
         to_duration(children.ru_stime);
}

}  // namespace listeners
