#include <fmt/format.h>
#include <sys/socket.h>

#include "base/read_file.hpp"
#include "base/text.hpp"
#include "portproxy/message_server.hpp"

namespace portproxy {
namespace {

// Behind the program's name, which may hold spaces and parentheses, the first field is the third.
std::uint64_t start_of(pid_t pid) {
  constexpr std::size_t start_field = 22 - 3;
  const auto text = base::read_file(fmt::format("/proc/{}/stat", pid));
  const auto name_end = text ? text->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return 0;
  const auto fields = base::split(base::trim(std::string_view(*text).substr(name_end + 1)), ' ');
  if (fields.size() <= start_field) return 0;
  return base::parse_number<std::uint64_t>(fields[start_field]).value_or(0);
}

}  // namespace

bool is_alive(const caller& who) { return who.pid == 0 || start_of(who.pid) == who.started; }

caller caller_at(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0;
  return known ? caller{peer.pid, start_of(peer.pid)} : caller{};
}

}  // namespace portproxy
