// unix_probe: tries to connect to UNIX sockets, as root or another user.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <filesystem>

#include "base/unique_fd.hpp"
#include "tests/support/netns.hpp"

namespace support {

// The error's number; 0: it connected.
inline int connect_unix(const place& from, const std::filesystem::path& path) {
  return from.run([&] {
    const base::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path.native().copy(at.sun_path, sizeof at.sun_path - 1);
    return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 ? 0 : errno;
  });
}

}  // namespace support
