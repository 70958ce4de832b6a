#include "sources/host_sockets/port_reservers.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <system_error>

#include "base/read_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"

namespace host_sockets {
namespace {

constexpr std::size_t most_files = 4'096;
constexpr std::size_t longest_note = 32;
constexpr const char* file_name = "port-reserver.pid";

bool is_absent(const base::error& e) {
  return e.code == std::errc::no_such_file_or_directory || e.code == std::errc::not_a_directory;
}

// Calls `visit` with each entry but the hidden ones, until it fails. A missing directory has none.
base::result<> for_each_entry(const std::string& directory, const std::function<base::result<>(std::string)>& visit) {
  base::unique_fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return {};
  if (!fd) return base::fail_errno(directory);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd.get()), ::closedir);
  if (!entries) return base::fail_errno(directory);
  static_cast<void>(fd.release());
  errno = 0;
  while (const auto* entry = ::readdir(entries.get())) {
    if (entry->d_name[0] != '.')
      if (auto done = visit(directory + "/" + entry->d_name); !done) return done;
    errno = 0;
  }
  return errno == 0 ? base::result<>{} : base::fail_errno(directory);
}

std::chrono::system_clock::time_point to_time(const timespec& t) {
  return std::chrono::system_clock::time_point(std::chrono::seconds(t.tv_sec));
}

// A missing file, or one without a pid yet, names no process.
base::result<> add_note(const std::string& container, std::map<pid_t, reserver_note>& to) {
  const auto path = container + "/" + file_name;
  const auto text = base::read_file(path, {.bytes = longest_note, .follow_links = false});
  if (!text) return is_absent(text.error()) ? base::result<>{} : std::unexpected(text.error());
  struct stat about{};
  const auto pid = base::parse_number<pid_t>(base::trim(*text));
  if (!pid || ::lstat(path.c_str(), &about) != 0) return {};
  if (to.size() == most_files) return base::fail("more than " + std::to_string(most_files) + " port reservers");
  to.emplace(*pid, reserver_note{to_time(about.st_mtim)});
  return {};
}

}  // namespace

base::result<std::map<pid_t, reserver_note>> read_port_reservers(const std::filesystem::path& run) {
  std::map<pid_t, reserver_note> found;
  const auto note = [&](const std::string& container) { return add_note(container, found); };
  const auto done = for_each_entry((run / "nerdctl").string(),
                                   [&](const std::string& name_space) { return for_each_entry(name_space, note); });
  if (!done) return std::unexpected(done.error());
  return found;
}

}  // namespace host_sockets
