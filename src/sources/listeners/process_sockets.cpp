#include "sources/listeners/process_sockets.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
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

using directory_ptr = std::unique_ptr<DIR, int (*)(DIR*)>;

// False, with errno: the directory could not be read, or not to its end.
bool add_inodes(const std::string& descriptors, std::set<std::uint32_t>& to) {
  const directory_ptr directory(::opendir(descriptors.c_str()), ::closedir);
  if (!directory) return false;
  std::array<char, 64> link;
  errno = 0;
  while (const auto* entry = ::readdir(directory.get())) {
    const auto length = ::readlinkat(::dirfd(directory.get()), entry->d_name, link.data(), link.size());
    if (length <= 0) continue;
    if (const auto inode = parse_inode({link.data(), static_cast<std::size_t>(length)})) to.insert(*inode);
    errno = 0;
  }
  return errno == 0;
}

// The kernel's name for the process, at most 15 bytes; empty where it has gone.
std::string name_of(int processes, const char* pid) {
  const base::unique_fd file(::openat(processes, (std::string(pid) + "/comm").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text;
  const auto length = file ? ::read(file.get(), text.data(), text.size()) : -1;
  return length <= 0 ? std::string() : std::string(base::trim({text.data(), static_cast<std::size_t>(length)}));
}

}  // namespace

base::result<std::set<std::uint32_t>> own_socket_inodes() {
  std::set<std::uint32_t> inodes;
  if (!add_inodes("/proc/self/fd", inodes)) return base::fail_errno("/proc/self/fd");
  return inodes;
}

std::set<std::uint32_t> socket_inodes_of(std::span<const std::string> programs) {
  std::set<std::uint32_t> inodes;
  if (programs.empty()) return inodes;
  const directory_ptr processes(::opendir("/proc"), ::closedir);
  if (!processes) return inodes;
  while (const auto* entry = ::readdir(processes.get())) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    const auto name = name_of(::dirfd(processes.get()), entry->d_name);
    if (std::ranges::find(programs, name) != programs.end())
      static_cast<void>(add_inodes(std::string("/proc/") + entry->d_name + "/fd", inodes));
  }
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
