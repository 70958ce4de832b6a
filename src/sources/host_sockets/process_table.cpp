#include "sources/host_sockets/process_table.hpp"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "os/process_facts.hpp"

namespace host_sockets {
namespace {

using namespace std::chrono_literals;

constexpr auto youth = 2s;  // in which a process without a listener may still get one
constexpr std::size_t most_lately = 8;

using directory_ptr = std::unique_ptr<DIR, int (*)(DIR*)>;

directory_ptr open_directory(const std::string& path) { return {::opendir(path.c_str()), ::closedir}; }

// "socket:[12345]"
std::optional<std::uint32_t> parse_inode(std::string_view link) {
  constexpr std::string_view begin = "socket:[";
  if (!link.starts_with(begin) || !link.ends_with(']')) return std::nullopt;
  return base::parse_number<std::uint32_t>(link.substr(begin.size(), link.size() - begin.size() - 1));
}

bool has_gone(int number) { return number == ENOENT || number == ESRCH; }

// The inodes of the sockets that the process holds. One that ends meanwhile holds none.
base::result<std::vector<std::uint32_t>> read_sockets(pid_t pid) {
  std::vector<std::uint32_t> inodes;
  const auto path = "/proc/" + std::to_string(pid) + "/fd";
  const auto directory = open_directory(path);
  if (!directory && has_gone(errno)) return inodes;
  if (!directory) return base::fail_errno(path);
  std::array<char, 64> link;
  errno = 0;
  while (const auto* entry = ::readdir(directory.get())) {
    const auto length = ::readlinkat(::dirfd(directory.get()), entry->d_name, link.data(), link.size());
    if (length < 0 && entry->d_name[0] != '.' && !has_gone(errno)) return base::fail_errno(path);
    if (length > 0)
      if (const auto inode = parse_inode({link.data(), static_cast<std::size_t>(length)})) inodes.push_back(*inode);
    errno = 0;
  }
  if (errno != 0 && !has_gone(errno)) return base::fail_errno(path);
  return inodes;
}

}  // namespace

// The directory's inode stays while the process lives and the kernel remembers it. If the inode differs, the start time
// decides.
void process_table::note_process(pid_t pid, std::uint64_t entry) {
  const auto at = processes_.find(pid);
  if (at != processes_.end() && at->second.entry == entry) {
    at->second.seen_in = refreshes_;
    return;
  }
  const auto facts = os::read_process_facts(pid);
  std::uint64_t start = 0;  // unknown
  if (facts) {
    const auto& present = *facts;
    if (!present) return;
    start = present->start;
  }
  if (at != processes_.end() && start != 0 && at->second.start == start) {
    at->second.entry = entry;
    at->second.seen_in = refreshes_;
    return;
  }
  process fresh;
  fresh.entry = entry;
  fresh.start = start;
  fresh.seen_in = refreshes_;
  processes_[pid] = fresh;
}

base::result<> process_table::refresh() {
  const auto directory = open_directory("/proc");
  if (!directory) return base::fail_errno("/proc");
  ++refreshes_;
  errno = 0;
  while (const auto* entry = ::readdir(directory.get())) {
    if (const auto pid = base::parse_number<pid_t>(entry->d_name)) note_process(*pid, entry->d_ino);
    errno = 0;
  }
  if (errno != 0) return base::fail_errno("/proc");
  std::erase_if(processes_, [this](const auto& item) { return item.second.seen_in != refreshes_; });
  std::erase_if(lately_, [this](pid_t pid) { return !processes_.contains(pid); });
  if (!processes_.contains(1)) return base::fail(std::errc::permission_denied, "/proc hides processes");
  return {};
}

void process_table::read(pid_t pid, process& p) {
  p.read_in = searches_;
  ++reads_;
  const auto sockets = read_sockets(pid);
  if (!sockets) {
    if (!unreadable_) unreadable_ = sockets.error();
    return;
  }
  for (const auto inode : *sockets) {
    if (!wanted_.contains(inode)) continue;
    auto& of = holders_[inode];
    if (std::ranges::find(of, pid) != of.end()) continue;
    if (of.empty()) --missing_;
    of.push_back(pid);
    ++p.sockets;
    std::erase(lately_, pid);
    lately_.insert(lately_.begin(), pid);
    if (lately_.size() > most_lately) lately_.pop_back();
  }
}

void process_table::read_if(const std::function<bool(const process&)>& condition) {
  for (auto& [pid, p] : processes_)
    if (p.read_in != searches_ && condition(p)) read(pid, p);
}

void process_table::read_first(const std::vector<pid_t>& first) {
  for (const auto pid : first)
    if (const auto at = processes_.find(pid); at != processes_.end() && at->second.read_in != searches_)
      read(pid, at->second);
}

// Most programs have all of their listeners or none: processes without a known one are likelier to be the holder.
void process_table::read_rest() {
  std::vector<pid_t> rest;
  for (const auto& [pid, p] : processes_)
    if (p.read_in != searches_) rest.push_back(pid);
  std::ranges::sort(rest, std::less{}, [this](pid_t pid) {
    const auto& p = processes_.at(pid);
    return std::pair(p.sockets != 0, ~p.start);
  });
  for (const auto pid : rest) {
    if (missing_ == 0) return;
    read(pid, processes_.at(pid));
  }
}

void process_table::begin_search(inode_set wanted) {
  ++searches_;
  unreadable_.reset();
  wanted_ = std::move(wanted);
  missing_ = wanted_.size();
  for (const auto inode : wanted_) holders_.erase(inode);
}

void process_table::search_all(inode_set wanted) {
  begin_search(std::move(wanted));
  read_if([](const process&) { return true; });
}

void process_table::search(inode_set wanted, const std::vector<pid_t>& first,
                           const std::function<void(inode_set&)>& still_listed) {
  begin_search(std::move(wanted));
  read_first(first);
  read_if([](const process& p) { return p.read_in == 0 || (p.sockets == 0 && os::age_of(p.start) < youth); });
  for (const auto pid : std::vector(lately_))
    if (missing_ > 0) read_first({pid});
  if (missing_ == 0) return;
  still_listed(wanted_);
  missing_ = static_cast<std::size_t>(
      std::ranges::count_if(wanted_, [this](std::uint32_t inode) { return !holders_.contains(inode); }));
  read_rest();
}

const std::vector<pid_t>& process_table::holders(std::uint32_t inode) const {
  static const std::vector<pid_t> none;
  const auto at = holders_.find(inode);
  return at == holders_.end() ? none : at->second;
}

bool process_table::contains(pid_t pid, std::uint64_t start) const {
  const auto at = processes_.find(pid);
  return at != processes_.end() && at->second.start == start;
}

void process_table::forget_all_but(const inode_set& listed) {
  std::erase_if(holders_, [&](const auto& item) { return !listed.contains(item.first); });
}

}  // namespace host_sockets
