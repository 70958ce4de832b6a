#include "tests/support/sandbox.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include "base/unique_fd.hpp"

namespace support {
namespace {

constexpr const char* xtables_lock = "/run/xtables.lock";

bool hide_run() {
  const int lock = ::open(xtables_lock, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || ::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0) return false;
  const int placeholder = ::open(xtables_lock, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
  std::array<char, 32> source{};
  fmt::format_to_n(source.data(), source.size() - 1, "/proc/self/fd/{}", lock);
  return placeholder >= 0 && ::mount(source.data(), xtables_lock, nullptr, MS_BIND, nullptr) == 0;
}

bool overlay_etc() {
  return ::mkdir("/run/etc", 0755) == 0 && ::mkdir("/run/etc/upper", 0755) == 0 &&
         ::mkdir("/run/etc/work", 0755) == 0 &&
         ::mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work") == 0;
}

bool arrange_mounts() {
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("proc", "/proc", "proc", 0, nullptr) == 0 && hide_run() &&
         ::mount("tmpfs", "/opt", "tmpfs", 0, nullptr) == 0 && overlay_etc();
}

// The first process of the pid namespace: it only waits. Orphans are reaped by the kernel, as SIGCHLD is ignored.
[[noreturn]] void be_init(int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGCHLD, SIG_IGN);
  if (!arrange_mounts()) ::_exit(1);
  if (::write(ready, "+", 1) != 1) ::_exit(1);
  for (;;) ::pause();
}

std::string namespace_path(pid_t pid, const char* kind) { return fmt::format("/proc/{}/ns/{}", pid, kind); }

}  // namespace

sandbox::sandbox() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("sandbox: no pipe");
  const base::unique_fd reading(ends[0]);
  base::unique_fd writing(ends[1]);
  // fork() with namespaces; the child makes system calls only.
  init_ = static_cast<pid_t>(
      ::syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (init_ == 0) be_init(ends[1]);
  writing.reset();
  char sign = 0;
  if (init_ < 0 || ::read(reading.get(), &sign, 1) != 1)
    throw std::runtime_error("sandbox: the namespaces cannot be made");
}

void sandbox::end() {
  if (init_ <= 0) return;
  ::kill(init_, SIGKILL);
  ::waitpid(init_, nullptr, 0);  // the kernel ends all others of the namespace first
  init_ = -1;
}

std::string sandbox::pid_namespace() const { return namespace_path(init_, "pid"); }
std::string sandbox::mount_namespace() const { return namespace_path(init_, "mnt"); }

}  // namespace support
