#include "programs/port_proxy/caller.hpp"

#include <sys/socket.h>

#include <cstdint>
#include <expected>
#include <optional>

#include "os/process_facts.hpp"

namespace port_proxy {
namespace {

std::uint64_t start_of(pid_t pid) {
  const auto facts = os::read_process_facts(pid);
  if (!facts) return 0;
  const auto& found = *facts;
  return found ? found->start : 0;
}

}  // namespace

// An unreadable file, for example without a free descriptor, says nothing: the process may run.
bool is_alive(const caller& who) {
  if (who.pid == 0) return true;
  const auto now = os::read_process_facts(who.pid);
  if (!now) return true;
  const auto& found = *now;
  return found && (who.started == 0 || found->start == who.started);
}

caller caller_at(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0;
  return known ? caller{peer.pid, start_of(peer.pid)} : caller{};
}

}  // namespace port_proxy
