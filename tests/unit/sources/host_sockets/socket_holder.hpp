// socket_holder: a process that holds a listening socket alone, until the object goes.
#pragma once

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include "tests/support/loopback_socket.hpp"

namespace host_sockets {

inline std::uint32_t inode_of(int fd) {
  struct stat about{};
  ::fstat(fd, &about);
  return static_cast<std::uint32_t>(about.st_ino);
}

class socket_holder {
 public:
  // `name`: the process's own. It has it when this returns.
  explicit socket_holder(const char* name = "holder") {
    const auto listener = support::listen_on_loopback();
    inode_ = inode_of(listener.fd.get());
    int ready[2];
    if (::pipe(ready) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::prctl(PR_SET_NAME, name);
      if (::write(ready[1], "", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char byte = 0;
    if (::read(ready[0], &byte, 1) != 1) throw std::runtime_error("the child did not get so far");
    ::close(ready[0]), ::close(ready[1]);
  }
  socket_holder(socket_holder&& other) noexcept : pid_(std::exchange(other.pid_, -1)), inode_(other.inode_) {}
  ~socket_holder() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::uint32_t inode() const { return inode_; }

 private:
  pid_t pid_ = -1;
  std::uint32_t inode_ = 0;
};

}  // namespace host_sockets
