// other_process: sockets of other processes, for the tests of the source that finds them.
#pragma once

#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"

namespace host_sockets {

// A socket of the calling process that stays open until it ends. "tcp 127.0.0.1:80"; port 0 leaves it unbound.
inline int open_socket(std::string_view text, bool v6_only = false, bool reuse_port = false) {
  const auto at = *net::parse_endpoint(text.substr(4));
  const int fd = ::socket(at.ip.is_v4() ? AF_INET : AF_INET6, text.starts_with("tcp") ? SOCK_STREAM : SOCK_DGRAM, 0);
  const int one = 1, only = v6_only ? 1 : 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (at.ip.is_v6()) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  const auto address = net::to_sockaddr(at);
  if (at.port != 0 && ::bind(fd, address.get(), address.size) != 0) ::_exit(1);
  return fd;
}
inline int listen_on(std::string_view text, bool v6_only = false, bool reuse_port = false) {
  const int fd = open_socket(text, v6_only, reuse_port);
  if (text.starts_with("tcp") && ::listen(fd, 16) != 0) ::_exit(1);
  return fd;
}

// A child of the calling process that lives as long as its parent.
template <class Work>
void fork_and(Work work) {
  int done[2];
  if (::pipe(done) != 0) ::_exit(1);
  if (::fork() == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    work();
    if (::write(done[1], "", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  if (::read(done[0], &byte, 1) != 1) ::_exit(1);
}

// Takes CAP_SYS_PTRACE from the calling thread, as the unit of a service may; gives it back.
class without_ptrace {
 public:
  without_ptrace() { change(false); }
  ~without_ptrace() { give_back(); }
  void give_back() { change(true); }

 private:
  static void change(bool on) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    ::syscall(SYS_capget, &header, data);
    const auto bit = 1U << CAP_SYS_PTRACE;
    data[0].effective = on ? data[0].effective | bit : data[0].effective & ~bit;
    ::syscall(SYS_capset, &header, data);
  }
};

// A child that does `work`, reports that it is done, and then waits for the request to end.
class other_process {
 public:
  explicit other_process(const std::function<void()>& work) {
    int ready[2], end[2];
    if (::pipe(ready) != 0 || ::pipe(end) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      for (int fd = 3; fd < 256; ++fd)  // of what it inherits nothing is to be held open
        if (fd != end[0] && fd != ready[1]) ::close(fd);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      work();
      char byte = 0;
      if (::write(ready[1], "", 1) != 1 || ::read(end[0], &byte, 1) < 0) ::_exit(1);
      ::_exit(0);
    }
    ::close(ready[1]);
    ::close(end[0]);
    end_.reset(end[1]);
    ready_.reset(ready[0]);
    char byte = 0;
    if (::read(ready_.get(), &byte, 1) != 1) throw std::runtime_error("the child did not get so far");
  }
  ~other_process() {
    end();
    kill9();
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  // Ends the child, and what it forked.
  void end() { end_.reset(); }
  void kill9() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
  base::unique_fd ready_, end_;
};

}  // namespace host_sockets
