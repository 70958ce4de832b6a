#include "programs/port_proxy/caller.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <system_error>

#include "base/read_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"

namespace port_proxy {
namespace {

// The program's name may hold spaces and parentheses; the field after it is the third.
base::result<std::uint64_t> start_of(pid_t pid) {
  constexpr std::size_t start_field = 22 - 3;
  const auto text = base::read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return std::unexpected(text.error());
  const auto name_end = text->rfind(')');
  if (name_end == std::string::npos) return base::fail("not the stat file of a process");
  const auto fields = base::split(base::trim(std::string_view(*text).substr(name_end + 1)), ' ');
  const auto number =
      fields.size() > start_field ? base::parse_number<std::uint64_t>(fields[start_field]) : std::nullopt;
  if (!number) return base::fail("not the stat file of a process");
  return *number;
}

bool is_gone(const base::error& e) {
  return e.code == std::errc::no_such_file_or_directory || e.code == std::errc::no_such_process;
}

}  // namespace

// An unreadable file, for example without a free descriptor, says nothing: the process may run.
bool is_alive(const caller& who) {
  if (who.pid == 0) return true;
  const auto now = start_of(who.pid);
  if (now) return who.started == 0 || *now == who.started;
  return !is_gone(now.error());
}

caller caller_at(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0;
  return known ? caller{peer.pid, start_of(peer.pid).value_or(0)} : caller{};
}

}  // namespace port_proxy
