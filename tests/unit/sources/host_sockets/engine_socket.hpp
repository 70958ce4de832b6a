// engine_socket: an engine's API in its barest form, a UNIX socket on which a child process of a test listens.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace host_sockets {

// Listens there until the process ends; ends it where it cannot.
inline void serve(const std::filesystem::path& path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::ranges::copy(path.native(), at.sun_path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || ::listen(fd, 16) != 0) ::_exit(1);
}

}  // namespace host_sockets
